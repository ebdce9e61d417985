// A libzmq socket as a message source or sink: frames [topic][payload].
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

class ZmqPort {
 public:
    // kind: sub pull dealer (receive) / pub push (send).
    // address: "tcp://..." connects; a leading '@' binds instead.
    ZmqPort(const std::string& kind, const std::string& address, const std::string& hello);
    ~ZmqPort();
    ZmqPort(const ZmqPort&) = delete;
    int wake_fd() const;
    // Calls f(last frame) for every complete message waiting, at most `limit`; returns how many.
    uint64_t drain(const std::function<void(const uint8_t*, size_t)>& f,
                   uint64_t limit = UINT64_MAX);
    // False when the socket would block.
    bool send(std::string_view topic, const void* payload, size_t size);

 private:
    void* ctx_;
    void* sock_;
};
