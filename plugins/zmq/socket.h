// The C interface of libzmq, with owners for its three things: context, socket, frame.
//
// A socket may be used by several threads if a lock keeps them apart; that is its endpoint's
// business. Nothing here blocks, except the end of the context. Opening, setting and binding throw
// std::runtime_error with a sentence; sending and receiving answer.
#pragma once

#include <zmq.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "zmq/frames.h"

namespace trestle::zmq {

/// One per process: libzmq 4.3.4 has a fault in libsodium's cleanup that several contexts run into.
class Context {
 public:
    Context();
    /// Waits until every socket is closed and has sent what its linger allows.
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    [[nodiscard]] void* get() const { return handle_; }
    /// A name that no other socket of this context has.
    std::string inproc_name();

 private:
    void* handle_;
    std::atomic<uint64_t> names_{0};
};

/// One received frame; reused for the next by `Socket::receive`.
class Frame {
 public:
    Frame() { zmq_msg_init(&message_); }
    ~Frame() { zmq_msg_close(&message_); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    [[nodiscard]] std::string_view bytes() const {
        return {static_cast<const char*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)};
    }
    [[nodiscard]] bool has_more() const { return zmq_msg_more(&message_) != 0; }
    /// Of the connection that it came by; -1 when there is none. Not of a ROUTER's first frame.
    [[nodiscard]] int source_descriptor() const { return zmq_msg_get(&message_, ZMQ_SRCFD); }

 private:
    friend class Socket;
    mutable zmq_msg_t message_;
};

class Socket {
 public:
    Socket() = default;
    Socket(Context& context, int type);
    ~Socket() { close(); }
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;

    [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
    void set(int option, int value);
    void set(int option, int64_t value);
    void set(int option, std::string_view value);
    void bind(const std::string& address);
    void connect(const std::string& address);
    /// The address bound last, with the port that was chosen.
    [[nodiscard]] std::string last_endpoint() const;
    /// Readable when there may be news; edge-triggered, owned by libzmq.
    [[nodiscard]] int descriptor() const;
    /// ZMQ_POLLIN | ZMQ_POLLOUT; must be asked after use and before waiting.
    [[nodiscard]] int events() const;
    /// Reports connections to a PAIR socket that connects to `address`, see zmq_socket_monitor(3).
    void monitor(const std::string& address, int events);
    void stop_monitor();
    /// Later, in the background; linger says how long it may take.
    void close();

    /// What became of a message to one peer of a ROUTER.
    enum class Sent : uint8_t {
        yes,
        full,  ///< too much waits for this peer already
        gone,  ///< there is no such peer (any more)
    };
    /// Kept until libzmq has done with a message: it was sent, or its connection has ended. Let go
    /// of on any thread, also under the socket's lock.
    using Kept = std::shared_ptr<const void>;
    /// The first frame is the routing id.
    Sent send_parts(std::span<const std::string_view> frames, Kept kept = nullptr);
    /// True: libzmq has taken the whole message. False: nobody can take it now, nothing was sent.
    bool send(const OutgoingFrames& frames);
    /// False: nothing there.
    bool receive(Frame& frame);

 private:
    bool send_joined(const OutgoingFrames& frames);
    bool send_frame(std::string_view bytes, int flags);
    bool send_keeping(std::string_view bytes, Kept kept);
    bool send_message(zmq_msg_t& message);

    void* handle_ = nullptr;
};

}  // namespace trestle::zmq
