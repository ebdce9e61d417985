// Counts what a process asks of the allocator and of the kernel; preloaded into the subjects of a
// run that is not timed.
//
// With TRESTLE_COUNTS=FOLDER two 64-bit numbers lie in FOLDER/PID while the process lives:
// allocations (malloc and its like), and system calls of input and output, waiting included. Calls
// that glibc makes by itself (locks that must wait, memory) are not seen.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

struct Counts {
    std::atomic<uint64_t> allocations{0};
    std::atomic<uint64_t> calls{0};
};
Counts early;  // before the file is there
Counts* counts = &early;

__attribute__((constructor)) void open_counts() {
    const char* folder = std::getenv("TRESTLE_COUNTS");
    if (folder == nullptr) return;
    char path[512];
    std::snprintf(path, sizeof path, "%s/%d", folder, int(getpid()));
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(Counts)) != 0) return;
    void* memory = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) counts = static_cast<Counts*>(memory);
    close(fd);
}

void* allocated(void* memory) {
    counts->allocations.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

template <class F>
F real(F /*ours*/, const char* name) {
    return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

void* malloc(size_t n) { return allocated(__libc_malloc(n)); }
void* calloc(size_t n, size_t size) { return allocated(__libc_calloc(n, size)); }
void* realloc(void* p, size_t n) { return allocated(__libc_realloc(p, n)); }
void* aligned_alloc(size_t a, size_t n) { return allocated(__libc_memalign(a, n)); }
int posix_memalign(void** out, size_t a, size_t n) {
    *out = allocated(__libc_memalign(a, n));
    return *out == nullptr;
}

// One function of libc that makes one system call.
#define COUNTED(result, name, parameters, arguments)           \
    result name parameters {                                   \
        static const auto call = real(&name, #name);           \
        counts->calls.fetch_add(1, std::memory_order_relaxed); \
        return call arguments;                                 \
    }

COUNTED(ssize_t, read, (int f, void* b, size_t n), (f, b, n))
COUNTED(ssize_t, readv, (int f, const iovec* v, int n), (f, v, n))
COUNTED(ssize_t, write, (int f, const void* b, size_t n), (f, b, n))
COUNTED(ssize_t, writev, (int f, const iovec* v, int n), (f, v, n))
COUNTED(ssize_t, send, (int f, const void* b, size_t n, int g), (f, b, n, g))
COUNTED(ssize_t, recv, (int f, void* b, size_t n, int g), (f, b, n, g))
COUNTED(ssize_t, sendto, (int f, const void* b, size_t n, int g, const sockaddr* a, socklen_t s),
        (f, b, n, g, a, s))
COUNTED(ssize_t, recvfrom, (int f, void* b, size_t n, int g, sockaddr* a, socklen_t* s),
        (f, b, n, g, a, s))
COUNTED(ssize_t, sendmsg, (int f, const msghdr* m, int g), (f, m, g))
COUNTED(ssize_t, recvmsg, (int f, msghdr* m, int g), (f, m, g))
COUNTED(int, poll, (pollfd * p, nfds_t n, int t), (p, n, t))
COUNTED(int, ppoll, (pollfd * p, nfds_t n, const timespec* t, const sigset_t* s), (p, n, t, s))
COUNTED(int, epoll_wait, (int f, epoll_event* e, int n, int t), (f, e, n, t))
COUNTED(int, epoll_pwait, (int f, epoll_event* e, int n, int t, const sigset_t* s), (f, e, n, t, s))
COUNTED(int, epoll_ctl, (int f, int o, int g, epoll_event* e), (f, o, g, e))
COUNTED(int, timerfd_settime, (int f, int g, const itimerspec* n, itimerspec* o), (f, g, n, o))

// The same in programs built with _FORTIFY_SOURCE.
ssize_t __read_chk(int f, void* b, size_t n, size_t) { return read(f, b, n); }
ssize_t __recv_chk(int f, void* b, size_t n, size_t, int g) { return recv(f, b, n, g); }
ssize_t __recvfrom_chk(int f, void* b, size_t n, size_t, int g, sockaddr* a, socklen_t* s) {
    return recvfrom(f, b, n, g, a, s);
}
int __poll_chk(pollfd* p, nfds_t n, int t, size_t) { return poll(p, n, t); }
int __ppoll_chk(pollfd* p, nfds_t n, const timespec* t, const sigset_t* s, size_t) {
    return ppoll(p, n, t, s);
}

}  // extern "C"
