// What the thread sanitizer must not report: libzmq as packaged is not built with it, so that the
// hand-over of messages to its I/O threads (lock-free, atomics in assembler) looks like a race.
#if defined(__SANITIZE_THREAD__)

extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "called_from_lib:libzmq.so\nrace:libzmq.so\n";
}

#endif
