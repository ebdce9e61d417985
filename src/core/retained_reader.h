// Retained messages on their way to one session, after it subscribed.
//
// A large set is handed over in portions: the session takes more when it has room and its
// connection is ready, and other work of the shard runs in between (`RetainedTurns`). Only
// references wait here, so neither the session's queue nor memory grows with the set.
//
// What waits here may be replaced or cleared meanwhile. Then it is left out: what took its place
// went out live to the same subscription, and nothing older may follow that [MQTT-4.6.0-6]. A
// client that was away may have missed it, so after that the rest is read anew.
//
// Owned by its session; lives on the session's shard, and only while there is something to hand
// over.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/retained.h"
#include "core/subscriber.h"

namespace trestle {

class HubShard;
class Session;

class RetainedReader : public std::enable_shared_from_this<RetainedReader> {
 public:
    RetainedReader(HubShard& hub, Session& session) : hub_(hub), session_(session) {}

    /// Begins with what this subscription selects; one that is under way for the filter starts
    /// anew.
    void add(std::string filter, const SubscribeOptions& options, uint64_t without_publisher);
    void remove(std::string_view filter);
    /// Hands over what the session takes now; waits for its turn when it is not to read now.
    void go_on();
    /// It waited, and may read a portion now.
    void take_turn();
    /// The connection is gone.
    void detach();
    [[nodiscard]] bool done() const { return reads_.empty(); }

 private:
    struct Read {
        RetainedCursor cursor;
        SubscriptionMatch match;
        std::vector<MessagePtr> batch;
        size_t next = 0;
        MessagePtr last;  // handed over or left out
    };
    void wait();

    static constexpr size_t kPortion = 256;  // messages
    HubShard& hub_;
    Session& session_;
    std::list<Read> reads_;  // one after the other
    // A client that takes nothing may subscribe to a great many meanwhile.
    std::map<std::string_view, std::list<Read>::iterator> by_filter_;
    bool waits_ = false;
    bool has_turn_ = false;
};

}  // namespace trestle
