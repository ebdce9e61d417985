// The live tail: messages that match a filter, as server-sent events, to one reader.
//
// It is shown so many messages a second at most, over all shards, the rest is counted; what it
// shows waits in a box between shards and main thread that is bounded by messages and by bytes; a
// reader that does not keep up is dropped. None of it is felt by the traffic. Made and destroyed on
// the main thread; cached matches may hold the tap for a while longer, and whatever it is shown
// then leads nowhere.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/tap.h"
#include "server/api/api_host.h"

namespace trestle {

/// A message as the tail shows it.
struct TailItem {
    int64_t time_ms = 0;
    std::string topic, payload, properties, client_id;
    size_t size = 0, properties_size = 0;  // of the whole
    EndpointId origin = 0;
    Qos qos = Qos::at_most_once;
    bool retain = false;
};

/// The side of the shards.
class TailTap final : public Tap {
 public:
    static constexpr size_t kMostWaiting = 256;
    static constexpr size_t kMostWaitingBytes = 256 * 1024;  // one message may go beyond

    TailTap(std::string filter, uint32_t rate, size_t shards, boost::asio::io_context& io,
            std::function<void()> ready);

    /// Main thread: what has gathered.
    std::vector<TailItem> take();
    /// Main thread: nobody reads any more.
    void close();

 protected:
    void show(ShardIndex shard, uint64_t now_ms, const MessageView& message,
              const Publisher& from) override;

 private:
    /// Whether the rate allows one more now; held to by all shards together.
    bool may_show(uint64_t now_ms);

    const uint64_t rate_;
    std::mutex mutex_;
    uint64_t allowed_ = 0;  // thousandths of a message
    uint64_t allowed_at_ms_ = 0;
    std::vector<TailItem> waiting_;
    size_t waiting_bytes_ = 0;
    bool is_closed_ = false;
    boost::asio::io_context& io_;
    const std::shared_ptr<std::function<void()>> ready_;  // used on the main thread
};

/// All tails that are read at present.
class TailApi {
 public:
    TailApi(Router& router, ApiHost& host);
    ~TailApi();
    TailApi(const TailApi&) = delete;

    [[nodiscard]] size_t open() const { return readers_.size(); }

 private:
    class Reader;
    void begin(const HttpRequest& request, const HttpReplyPtr& reply);
    void end(std::weak_ptr<Reader> reader);

    ApiHost& host_;
    std::vector<std::shared_ptr<Reader>> readers_;
};

}  // namespace trestle
