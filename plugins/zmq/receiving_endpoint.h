// An endpoint that messages come from (pull, sub): its home shard alone uses the socket.
//
// Reads in batches, finds the topic for each key, and publishes with the route's QoS and retain
// flag. While publishes wait for a full route, it stops reading once so many are open: then
// libzmq's queue fills, and the senders of a pull socket wait in turn.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/hub.h"
#include "zmq/endpoint.h"
#include "zmq/key_table.h"
#include "zmq/meta.h"

namespace trestle::zmq {

/// Reads whole messages, however many frames a peer has made them of; keeps the first few.
class MessageReader {
 public:
    enum class Result : uint8_t { nothing, unfinished, message };
    /// Reads at most `budget` frames and takes them off it.
    Result read(Socket& socket, size_t& budget);
    /// Of the message that `read` has completed: its frames, but not more than `kKept`.
    [[nodiscard]] std::span<const std::string_view> frames() const {
        return {views_.data(), kept_};
    }
    [[nodiscard]] size_t size() const { return size_; }

 private:
    static constexpr size_t kKept = kMostFrames + 1;  // one too many is seen as such
    std::array<Frame, kKept> frames_;
    std::array<std::string_view, kKept> views_;
    Frame surplus_;
    size_t kept_ = 0;
    size_t size_ = 0;
    bool is_complete_ = true;
};

class ReceivingEndpoint final : public ZmqEndpoint {
 public:
    ReceivingEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~ReceivingEndpoint() override;

    void start() override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) override;

 private:
    class Settled;

    void on_ready() override;
    void take_message();
    /// True when the message can be published as it is; else it has been counted.
    bool read_frames(IncomingFrames& in, IncomingMeta& meta);
    KeyTable::Found topic_of(const IncomingFrames& in);
    void publish(const KeyTable::Found& found, const IncomingFrames& in, const IncomingMeta& meta);
    void drop(DropReason reason);
    void read_on_later();
    void on_settled();
    void subscribe();
    [[nodiscard]] bool is_asked_for(std::string_view key) const;

    KeyTable keys_;
    MessageReader reader_;
    Publisher publisher_;
    std::weak_ptr<AckReceiver> waiter_;
    std::shared_ptr<Settled> settled_;
    std::vector<std::string> subscribed_;  // sorted
    bool has_shortened_ = false;           // a prefix that libzmq could not be told in full
    size_t open_publishes_ = 0;
    bool is_paused_ = false;
    bool is_posted_ = false;
    bool is_stopped_ = false;
};

}  // namespace trestle::zmq
