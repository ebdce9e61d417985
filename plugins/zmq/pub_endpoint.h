// A `pub` endpoint: everybody who asked for a prefix of the key gets the message, if there is room.
//
// `sent` means that somebody asks for the key and libzmq has taken the message. A subscriber that
// does not read fast enough loses messages inside libzmq, whole ones and unseen; nobody else is
// held up. The socket is an XPUB: the protocol of a PUB, but it tells what is asked for. (Its
// manual mode has a use-after-free in libzmq 4.3.4.)
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "plugin_api/log.h"
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
    void on_connection_closed(uint64_t connection) override;
    static void leave_unwanted(ShardIndex shard, const Route& route, Delivery& delivery);
    Fate hand_over(ShardIndex shard, const Route& route, std::string_view key,
                   const Delivery& delivery, Qos qos);
    // All of these under the lock.
    void overtake(const Route& route, const MessageView& message);
    Fate leave_out(const Route& route, std::string_view key, const MessageView& message);
    bool send_numbered(std::string_view key, const MessageView& message, std::string meta);
    /// Subscribers choose by the beginning of the first frame.
    [[nodiscard]] bool is_wanted(std::string_view key, std::string_view payload) const;

    // Under the lock, on the home shard: who asks for what.
    bool read();
    void on_subscription(const Frame& frame);
    void subscribe(Interest::Asker asker, std::string_view prefix, int descriptor);
    /// It has asked for more than one peer may.
    void cut_off(Interest::Asker asker, int descriptor);
    Interest::Asker asker_of(int descriptor);
    void leave(Interest::Asker asker);
    void show_subscriptions();
    void ask_for_snapshot(const std::string& prefix);
    void settle_at(uint64_t due_ms);
    bool is_everybody_named();
    void settle();  // takes the lock
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
    bool is_settling_due_ = false;
    std::unordered_set<uint64_t> named_;  // connections that libzmq tells by name
    std::unordered_set<uint64_t> cut_;    // connections that are about to end
    RepeatLimit log_limit_;
    std::unordered_map<int, uint64_t> unplaced_;  // since when, by descriptor
    uint64_t nameless_ms_ = 0;                    // when such a subscription was last told of
    // On the home shard.
    std::vector<RoutePtr> routes_;
    std::optional<SnapshotWalk> walk_;
    Timer snapshot_timer_;
    Timer settling_timer_;
    Gauge& subscriptions_;
    Counter& replayed_;
    Counter& cut_short_;
};

}  // namespace trestle::zmq
