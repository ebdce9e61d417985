// One MQTT connection on a shared epoll loop.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "util.h"
#include "wire.h"

struct Packet {
    uint8_t type, flags;
    const uint8_t* body;
    uint32_t size;
};

class Loop;

class Client {
 public:
    // What arrives after the handshake; set by the scenario.
    std::function<void(Client&, const Packet&)> on_packet;
    int index = 0;

    bool connected = false;
    bool closed = false;
    uint32_t server_receive_max = 65535;
    uint32_t server_alias_max = 0;
    uint32_t subacks = 0, suback_failures = 0;

    wire::Bytes out;  // append here, then flush()

    size_t backlog() const { return out.size() - out_at_; }
    void flush();

 private:
    friend class Loop;
    Loop* loop_ = nullptr;
    int fd_ = -1;
    bool want_out_ = false;
    bool v5_ = false;
    size_t out_at_ = 0;
    wire::Bytes partial_;
    void readable();
    void dispatch(const Packet&);
    void fail(const char* why);
};

class Loop {
 public:
    Loop();
    ~Loop();
    struct Target {
        std::string host = "127.0.0.1";
        uint16_t port = 1883;
        bool v5 = false;
        unsigned keepalive = 0;
        uint32_t spread = 0;  // >0: source address 127.0.1.(1+k) for every `spread` connections
    };
    // Starts a connection and queues CONNECT. Non-blocking.
    std::unique_ptr<Client> open(const Target&, const std::string& id, uint32_t ordinal = 0);
    // Handles events for at most timeout_ns (0: poll, <0: forever).
    void poll(int64_t timeout_ns);
    // Runs until done() or the deadline; false on deadline.
    bool run_until(const std::function<bool()>& done, uint64_t timeout_ms);
    void add_foreign(int fd);  // only wakes poll()

    uint64_t closed_count = 0;
    bool quiet = false;

 private:
    friend class Client;
    int ep_;
    std::vector<epoll_event> events_;
    wire::Bytes scratch_;
};
