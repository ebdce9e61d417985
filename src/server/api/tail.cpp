#include "server/api/tail.h"

#include <algorithm>
#include <chrono>

#include "core/hub.h"
#include "core/topic.h"
#include "server/api/message_json.h"
#include "server/api/query.h"
#include "server/config.h"
#include "server/gateway.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

constexpr auto kStatusInterval = std::chrono::seconds(1);
constexpr uint64_t kOneMessage = 1000;  // so that a rate per second adds up by the millisecond

/// Messages of a window, rounded up.
uint32_t share_of_window(uint64_t rate) {
    return static_cast<uint32_t>((rate * Tap::kWindowMs + 999) / 1000);
}

int64_t wall_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string event_text(std::string_view name, const ordered_json& data) {
    std::string text = "event: ";
    text.append(name).append("\ndata: ");
    text += data.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    text += "\n\n";
    return text;
}

ordered_json json_of(const TailItem& item, Gateway& gateway) {
    ordered_json out{{"time_ms", item.time_ms}, {"topic", item.topic}};
    put_payload(out, item.payload, item.size);
    out["qos"] = static_cast<int>(item.qos);
    out["retain"] = item.retain;
    out["endpoint"] = gateway.name_of(item.origin);
    out["client_id"] = item.client_id;
    put_properties(out, item.properties, item.properties_size);
    return out;
}

}  // namespace

TailTap::TailTap(std::string filter, uint32_t rate, size_t shards, boost::asio::io_context& io,
                 std::function<void()> ready)
    : Tap(std::move(filter), share_of_window(rate), shards),
      rate_(rate),
      io_(io),
      ready_(std::make_shared<std::function<void()>>(std::move(ready))) {}

bool TailTap::may_show(uint64_t now_ms) {
    if (now_ms > allowed_at_ms_) {  // shards' clocks differ by a turn
        // What a window brings, and the part of a message that the one before has left over.
        const uint64_t most = rate_ * kWindowMs + kOneMessage;
        allowed_ = std::min(most, allowed_ + (now_ms - allowed_at_ms_) * rate_);
        allowed_at_ms_ = now_ms;
    }
    if (allowed_ < kOneMessage) return false;
    allowed_ -= kOneMessage;
    return true;
}

void TailTap::show(ShardIndex shard, uint64_t now_ms, const MessageView& message,
                   const Publisher& from) {
    const std::lock_guard guard(mutex_);
    if (is_closed_) return;
    if (waiting_.size() >= kMostWaiting || waiting_bytes_ >= kMostWaitingBytes ||
        !may_show(now_ms)) {
        return skip(shard);
    }
    const std::string_view payload = payload_shown(message.payload);
    const std::string_view properties = properties_shown(message.properties);
    waiting_bytes_ +=
        message.topic.size() + payload.size() + properties.size() + from.client_id.size();
    waiting_.push_back({wall_ms(), std::string(message.topic), std::string(payload),
                        std::string(properties), from.client_id, message.payload.size(),
                        message.properties.size(), message.origin, message.qos, message.retain});
    if (waiting_.size() > 1) return;
    boost::asio::post(io_, [ready = std::weak_ptr(ready_)] {
        if (const auto kept = ready.lock(); kept && *kept) (*kept)();
    });
}

std::vector<TailItem> TailTap::take() {
    const std::lock_guard guard(mutex_);
    waiting_bytes_ = 0;
    return std::exchange(waiting_, {});
}

void TailTap::close() {
    *ready_ = nullptr;
    const std::lock_guard guard(mutex_);
    is_closed_ = true;
    waiting_.clear();
}

/// One reader: its tap, its stream, and a status every second, which also finds dead peers. What is
/// due for it in the loop already when it ends finds nobody.
class TailApi::Reader : public std::enable_shared_from_this<Reader> {
 public:
    Reader(TailApi& owner, std::string filter, uint32_t rate)
        : owner_(owner),
          tap_(std::make_shared<TailTap>(std::move(filter), rate,
                                         owner.host_.gateway()->shard_count(), owner.host_.io(),
                                         [this] { show(); })),
          timer_(owner.host_.io()) {}
    ~Reader() {
        tap_->close();
        if (auto* gateway = owner_.host_.gateway()) gateway->hub().remove_tap(*tap_);
    }
    Reader(const Reader&) = delete;

    /// False: refused, and answered.
    bool start(const HttpReplyPtr& reply) {
        stream_ = reply->stream("text/event-stream", [this] { end(); });
        if (!stream_) return false;
        owner_.host_.gateway()->hub().add_tap(tap_);
        tell_status();
        return true;
    }

 private:
    void show() {
        std::string text;
        for (const auto& item : tap_->take()) {
            text += event_text("message", json_of(item, *owner_.host_.gateway()));
        }
        if (!text.empty() && !stream_->write(text)) end();
    }
    void end() { owner_.end(weak_from_this()); }
    void tell_status() {
        timer_.expires_after(kStatusInterval);
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            const auto self = weak.lock();
            if (self && !error) self->tell_status();
        });
        const ordered_json status{{"filter", tap_->filter()}, {"skipped", tap_->skipped()}};
        if (!stream_->write(event_text("status", status))) end();
    }

    TailApi& owner_;
    std::shared_ptr<TailTap> tap_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<HttpStream> stream_;
};

TailApi::TailApi(Router& router, ApiHost& host) : host_(host) {
    router.exact("GET", "/api/v1/tail",
                 when_running(host, [this](const HttpRequest& request, const HttpReplyPtr& reply) {
                     begin(request, reply);
                 }));
}

TailApi::~TailApi() = default;

void TailApi::begin(const HttpRequest& request, const HttpReplyPtr& reply) {
    const AdminConfig& limits = host_.config().admin;
    Query query(request.query);
    const std::string filter = query.required_text("filter");
    const auto most = static_cast<size_t>(limits.tail_rate);
    const size_t rate = query.number("rate", 1, most, most);
    if (!filter.empty() && !is_valid_topic_filter(filter)) {
        query.refuse("filter", "a topic filter");
    }
    if (auto fault = query.fault()) return reply->send(std::move(*fault));
    if (request.method == "HEAD") {
        HttpResponse head;
        head.content_type = "text/event-stream";
        return reply->send(std::move(head));
    }
    if (readers_.size() >= static_cast<size_t>(limits.max_tails)) {
        return reply->send(
            http_problem(503, "As many tails as admin.max_tails allows are open already."));
    }
    auto reader = std::make_shared<Reader>(*this, filter, static_cast<uint32_t>(rate));
    if (reader->start(reply)) readers_.push_back(std::move(reader));
}

void TailApi::end(std::weak_ptr<Reader> reader) {
    // Later: whoever calls is still on the stack.
    boost::asio::post(host_.io(),
                      [this, reader = std::move(reader)] { std::erase(readers_, reader.lock()); });
}

}  // namespace trestle
