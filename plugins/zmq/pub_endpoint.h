// A `pub` endpoint: everybody who asked for a prefix of the key gets the message, if there is room.
//
// `sent` means that somebody asks for the key and libzmq has taken the message. A subscriber that
// does not read fast enough loses messages inside libzmq, whole ones and unseen; nobody else is
// held up. The socket is an XPUB: the protocol of a PUB, but it tells what is asked for. (Its
// manual mode has a use-after-free in libzmq 4.3.4.)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "zmq/interest.h"
#include "zmq/sending_endpoint.h"
#include "zmq/sequence.h"
#include "zmq/snapshots.h"

namespace trestle::zmq {

class PubEndpoint final : public SendingEndpoint {
 public:
    PubEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);

    void start() override;
    void set_routes(const std::vector<RoutePtr>& routes, uint64_t drain_ms) override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void accept(ShardIndex shard, const RoutePtr& route, std::string_view key,
                Delivery& delivery) override;

 private:
    enum class Fate : uint8_t { sent, unwanted, closed };

    bool see_to_socket(ShardIndex shard) override;
    static void leave_unwanted(ShardIndex shard, const Route& route, Delivery& delivery);
    Fate hand_over(ShardIndex shard, const Route& route, std::string_view key,
                   const Delivery& delivery, Qos qos);
    // All of these under the lock.
    Fate leave_out(std::string_view key);
    bool send_numbered(std::string_view key, const MessageView& message, std::string meta);
    /// Subscribers choose by the beginning of the first frame.
    [[nodiscard]] bool is_wanted(std::string_view key, std::string_view payload) const;
    void on_subscription(ShardIndex shard, std::string_view message);

    void ask_for_all_subscriptions();
    void ask_for_snapshot(ShardIndex shard, const std::string& prefix);
    // On the home shard, without the lock.
    RetainedStore& retained();
    void replay();
    void send_retained(const Route& route, const MessageView& seen, const std::string& key);

    // Under the lock.
    Interest interest_;
    Sequences sequences_;
    SnapshotRequests requests_;
    bool has_snapshots_ = false;
    bool is_replay_posted_ = false;
    // On the home shard.
    std::vector<RoutePtr> routes_;
    std::optional<SnapshotWalk> walk_;
    Timer snapshot_timer_;
    Gauge& subscriptions_;
    Counter& replayed_;
    Counter& cut_short_;
};

}  // namespace trestle::zmq
