#include "websocket/endpoint.h"

#include "core/last_of.h"
#include "websocket/json/service.h"

namespace trestle::websocket {

namespace {

/// Connections beyond `max_connections` that are told so; further ones are just closed.
constexpr uint32_t kTold = 64;

Counter& failure_counter(EndpointContext& context, Failure failure) {
    return context.host().metrics().counter(
        "trestle_websocket_handshake_failures_total",
        "WebSocket handshakes that were refused or not completed",
        {{"endpoint", context.name()}, {"reason", std::string(to_string(failure))}});
}

Counter* error_counter(EndpointContext& context, const char* reason) {
    return &context.host().metrics().counter(
        "trestle_websocket_protocol_errors_total",
        "WebSocket connections closed because the peer broke the rules of WebSocket",
        {{"endpoint", context.name()}, {"reason", reason}});
}

}  // namespace

WebSocketEndpoint::WebSocketEndpoint(EndpointContext& context, WebSocketOptions options,
                                     const Settings& json, std::unique_ptr<ByteStreamProtocol> mqtt)
    : context_(context),
      options_(std::move(options)),
      gate_(std::make_shared<Gate>(context.host().shard_count(), context.log())),
      next_shard_(context.home().index()) {
    gate_->mqtt = std::move(mqtt);
    gate_->json = std::make_unique<json::Service>(context, json);
    gate_->max_stream_message = options_.max_message_size;
    for (size_t i = 0; i < kFailures; ++i) {
        gate_->failures[i] = &failure_counter(context, static_cast<Failure>(i));
    }
    auto rules = std::make_shared<ConnectionRules>();
    rules->handshake_timeout_ms = options_.handshake_timeout_ms;
    rules->ping_interval_ms = options_.ping_interval_ms;
    rules->text_frames = error_counter(context, "text_frame");
    rules->too_large = error_counter(context, "too_large");
    rules->bad_frames = error_counter(context, "bad_frame");
    rules->bad_text = error_counter(context, "bad_text");
    rules->silent = error_counter(context, "no_pong");
    gate_->rules = std::move(rules);
}

WebSocketEndpoint::~WebSocketEndpoint() = default;

void WebSocketEndpoint::start() {
    const bool has_mqtt = options_.offers_mqtt && gate_->mqtt != nullptr;
    if (options_.offers_mqtt && !has_mqtt) {
        context_.log().warn("no plugin speaks MQTT: WebSocket clients that ask for it are refused");
    }
    for (const Uri& uri : options_.listen) {
        auto rules = std::make_shared<UpgradeRules>();
        rules->path = uri.path.empty() ? options_.path : uri.path;
        rules->allowed_origins = options_.allowed_origins;
        rules->offers_mqtt = has_mqtt;
        rules->offers_json = options_.offers_json;
        rules->deflates_json = gate_->json->deflates();
        listeners_.push_back(listen(
            context_.home(), uri,
            [this, rules = std::shared_ptr<const UpgradeRules>(rules)](Accepted fresh) {
                accepted(std::move(fresh), rules);
            },
            context_.log()));
        context_.log().info("listening on {}", uri.text());
    }
    listening_.store(true, std::memory_order_release);
}

std::vector<uint16_t> WebSocketEndpoint::ports() const {
    std::vector<uint16_t> ports;
    for (const auto& listener : listeners_) ports.push_back(listener->port());
    return ports;
}

std::string WebSocketEndpoint::not_ready() const {
    return listening_.load(std::memory_order_acquire) ? "" : "is not listening";
}

void WebSocketEndpoint::accepted(Accepted fresh, const std::shared_ptr<const UpgradeRules>& rules) {
    const uint32_t before = gate_->taken->fetch_add(1, std::memory_order_relaxed);
    Slot slot(gate_->taken);
    const bool refuse = before >= options_.max_connections;
    if (refuse && before - options_.max_connections >= kTold) {
        gate_->failed(context_.home().index(), Failure::limit);
        return;
    }
    Shard& shard = context_.host().shard(next_shard_);
    next_shard_ = (next_shard_ + 1) % context_.host().shard_count();
    // A function can be copied, these two cannot.
    struct Parcel {
        Accepted accepted;
        Slot slot;
    };
    auto parcel = std::make_shared<Parcel>(Parcel{std::move(fresh), std::move(slot)});
    shard.post([gate = gate_, rules, parcel, &shard, refuse] {
        if (gate->stopping.load(std::memory_order_relaxed)) {
            return gate->failed(shard.index(), Failure::shutdown);
        }
        begin_handshake(gate, rules, shard, std::move(parcel->accepted), std::move(parcel->slot),
                        refuse);
    });
}

void WebSocketEndpoint::stop_listening() {
    listening_.store(false, std::memory_order_release);
    for (auto& listener : listeners_) listener->close();
}

void WebSocketEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
    stop_listening();
    gate_->stopping.store(true, std::memory_order_relaxed);
    gate_->deadline_ms = deadline_ms;
    // First no handshake is left on any shard, then the protocols have all connections that there
    // will be.
    const auto stop_protocols = [gate = gate_, done = std::move(done), &home = context_.home()] {
        home.post([gate, done] {
            const auto one_done = last_of(gate->mqtt ? 2 : 1, done);
            if (gate->mqtt) gate->mqtt->stop(gate->deadline_ms, one_done);
            gate->json->stop(gate->deadline_ms, one_done);
        });
    };
    const auto shard_done = last_of(context_.host().shard_count(), stop_protocols);
    for (size_t i = 0; i < context_.host().shard_count(); ++i) {
        context_.host().shard(i).post([gate = gate_, shard_done, i] {
            const auto running = gate->running[i];
            for (const auto& handshake : running) handshake->abort(Failure::shutdown);
            shard_done();
        });
    }
}

void WebSocketEndpoint::cut_short() {
    gate_->deadline_ms = 0;  // for those that have not been told to stop yet
    if (gate_->mqtt) gate_->mqtt->cut_short();
    gate_->json->cut_short();
}

}  // namespace trestle::websocket
