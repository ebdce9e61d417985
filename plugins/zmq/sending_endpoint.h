// An endpoint that routes lead to (pub, push): one socket that every shard sends into directly.
//
// One lock guards the socket and what belongs to it; it is held for a send, never across a wait.
// Any use of the socket may swallow the event that its home shard waits for, so the shard that used
// it looks for news once at the end of its turn.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/route.h"
#include "zmq/endpoint.h"

namespace trestle::zmq {

class SendingEndpoint : public ZmqEndpoint, public RouteSink {
 public:
    SendingEndpoint(EndpointContext& context, Context& zmq, EndpointOptions options);
    ~SendingEndpoint() override;

    RouteSink* route_sink() override { return this; }

 protected:
    /// Handles what `Socket::events` shows, on any shard, under the lock. True: there is more to
    /// do, in a later turn.
    virtual bool see_to_socket(ShardIndex shard) = 0;
    void on_ready() override;
    /// Under the lock, on another shard: what has come is read at home, where connections are
    /// known.
    void read_at_home();
    /// The calling shard has used the socket; under the lock or not.
    void used_by(ShardIndex shard) {
        TurnEnd& task = *turn_ends_[shard];
        if (!task.is_due) schedule(task);
    }
    /// Under the lock. False: nobody takes it now.
    bool send(std::string_view key, const MessageView& message, std::string_view meta);
    [[nodiscard]] bool wants_meta() const { return options_.frames.format == Format::full; }
    /// Counts a message that libzmq has taken.
    void count_sent(ShardIndex shard, std::string_view key, const MessageView& message, Qos qos) {
        counters_.messages_sent[static_cast<size_t>(qos)]->add(shard);
        counters_.bytes_sent->add(shard, key.size() + message.payload.size());
    }
    [[nodiscard]] Shard& shard(ShardIndex index) const { return turn_ends_[index]->shard; }

    std::mutex mutex_;

 private:
    struct TurnEnd final : TurnTask {
        TurnEnd(SendingEndpoint& owner, Shard& its_shard) : endpoint(owner), shard(its_shard) {}
        void end_of_turn() override;
        SendingEndpoint& endpoint;
        Shard& shard;
        bool is_due = false;  // read and written on its shard only
    };
    static void schedule(TurnEnd& task);

    std::vector<std::unique_ptr<TurnEnd>> turn_ends_;  // by shard
    bool is_reading_due_ = false;                      // under the lock
};

}  // namespace trestle::zmq
