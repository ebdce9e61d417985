// Keeps a peer from stopping the process through a fault of libzmq (4.3.4 and later, zeromq/libzmq
// issue 4364).
//
// When a pipe is full, libzmq stops reading the connection. If that breaks meanwhile, it remembers
// an error; when there is room again, a PING among what it had read already, or its own next
// heartbeat, meets `zmq_assert (!_io_error)` and abort(3). Any peer can bring that about with a
// hundred bytes and a reset.
//
// So that an error that is seen while nothing is read never comes to be: these two stand before
// the functions of the C library of that name. On libzmq's threads a descriptor that is not to be
// read at present is not reported as broken. It is taken out of the epoll set, which would report
// it again and again, and put back when libzmq wants to read; then it finds out by reading, after
// all that it has read before, as with any other connection.
//
// The program is linked with this library before the C library: so libzmq's calls come here.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

namespace {

struct Registration {
    const void* owner = nullptr;
    bool is_read = false;
    bool was_read = false;  // one that connects is never read, and must hear of its failure
    bool is_out = false;    // of the epoll set, unknown to libzmq

    bool has_stopped() const { return was_read && !is_read; }
};

// Each of libzmq's threads waits for descriptors that it alone registers.
using Registrations = std::unordered_map<int, Registration>;

Registrations& registrations() {
    thread_local Registrations all;
    return all;
}

bool is_libzmq_thread() {
    thread_local const bool is_one = [] {
        std::array<char, 16> name{};
        pthread_getname_np(pthread_self(), name.data(), name.size());
        return std::string_view(name.data()).starts_with("ZMQbg/");
    }();
    return is_one;
}

template <typename Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int control(int epoll, int operation, int descriptor, epoll_event* event) {
    static auto* const function = next<int(int, int, int, epoll_event*)>("epoll_ctl");
    return function(epoll, operation, descriptor, event);
}

int modify(int epoll, int descriptor, epoll_event* event) {
    const auto found = registrations().find(descriptor);
    if (found == registrations().end()) return control(epoll, EPOLL_CTL_MOD, descriptor, event);
    Registration& one = found->second;
    one.is_read = (event->events & EPOLLIN) != 0;
    one.was_read |= one.is_read;
    if (!one.is_out) return control(epoll, EPOLL_CTL_MOD, descriptor, event);
    if (!one.is_read) return 0;
    one.is_out = false;
    return control(epoll, EPOLL_CTL_ADD, descriptor, event);
}

// True: libzmq is not to hear of it now.
bool keep_back(int epoll, epoll_event& event) {
    constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;
    if ((event.events & kBroken) == 0) return false;
    // Told both, libzmq would read twice, and the first time may fill the pipe.
    if ((event.events & EPOLLIN) != 0) {
        event.events &= ~kBroken;
        return false;
    }
    for (auto& [descriptor, one] : registrations()) {
        if (one.owner != event.data.ptr) continue;
        if (!one.has_stopped()) return false;
        one.is_out = control(epoll, EPOLL_CTL_DEL, descriptor, nullptr) == 0;
        return one.is_out;
    }
    return false;
}

}  // namespace

extern "C" [[gnu::visibility("default")]] int epoll_ctl(int epoll, int operation, int descriptor,
                                                        epoll_event* event) noexcept {
    if (!is_libzmq_thread()) return control(epoll, operation, descriptor, event);
    if (operation == EPOLL_CTL_MOD) return modify(epoll, descriptor, event);
    if (operation == EPOLL_CTL_ADD) {
        const bool is_read = (event->events & EPOLLIN) != 0;
        registrations()[descriptor] = {
            .owner = event->data.ptr, .is_read = is_read, .was_read = is_read};
    } else {
        const auto gone = registrations().extract(descriptor);
        if (!gone.empty() && gone.mapped().is_out) return 0;
    }
    return control(epoll, operation, descriptor, event);
}

extern "C" [[gnu::visibility("default")]] int epoll_wait(int epoll, epoll_event* events, int most,
                                                         int timeout_ms) {
    static auto* const function = next<int(int, epoll_event*, int, int)>("epoll_wait");
    const int count = function(epoll, events, most, timeout_ms);
    if (count <= 0 || !is_libzmq_thread()) return count;
    const auto kept = std::remove_if(
        events, events + count, [epoll](epoll_event& event) { return keep_back(epoll, event); });
    return static_cast<int>(kept - events);
}
