#include "websocket/json/options.h"

#include "plugin_api/subscription_options.h"

namespace trestle::websocket::json {

namespace {

void add_protocol_options(std::vector<Option>& o) {
    o.push_back(
        Option::integer("max_message_size", "Bytes in one message of a client, after decompression")
            .between(125, 1LL << 30)
            .fallback(1024 * 1024));
    o.push_back(Option::integer("max_errors",
                                "Frames that are no good operations after which a client is "
                                "disconnected")
                    .between(1, 1'000'000'000)
                    .fallback(100));
    o.push_back(
        Option::boolean("deflate", "Offer per-message compression (RFC 7692)").fallback(false));
    o.push_back(Option::integer("max_topic_levels", "Levels of a topic or filter")
                    .between(1, 65'535)
                    .fallback(128));
    add_subscription_options(o);
    o.push_back(Option::string_list("refuse_filters",
                                    "Filters that clients may not subscribe to, by pattern (itself "
                                    "a filter): whoever asks for one, or for a part of it, gets "
                                    "the error not_authorized")
                    .topic_filters());
    o.push_back(Option::integer("max_pending_publishes",
                                "QoS 1 publishes of one client that wait for their answer; at so "
                                "many, nothing more is read from it")
                    .between(1, 65'535)
                    .fallback(1024));
    o.push_back(Option::integer("max_pending_requests",
                                "Requests of one client that wait for their response")
                    .between(1, 65'535)
                    .fallback(256));
    o.push_back(Option::integer("request_timeout_ms",
                                "Time for a response, unless the request says another")
                    .between(1, 3'600'000)
                    .fallback(30'000));
}

void add_session_options(std::vector<Option>& o) {
    o.push_back(
        Option::integer("max_inflight", "QoS 1 messages on their way to one client without its ack")
            .between(1, 65'535)
            .fallback(1024));
    o.push_back(Option::integer("max_queued_messages", "Messages that wait for one client")
                    .between(1, 100'000'000)
                    .fallback(100'000));
    o.push_back(Option::integer("max_queued_bytes", "Bytes that wait for one client")
                    .between(1024, 1e12)
                    .fallback(int64_t{64} << 20));
    o.push_back(Option::string("when_full",
                               "What happens when a client's queue is full: a message is dropped, "
                               "or the client is disconnected")
                    .one_of({"drop_oldest", "drop_newest", "disconnect"})
                    .fallback("drop_oldest"));
    o.push_back(Option::integer("max_write_buffer",
                                "Bytes written for one connection that it has not taken yet; more "
                                "waits in the client's queue")
                    .between(4096, 1e9)
                    .fallback(1024 * 1024));
}

}  // namespace

std::vector<Option> describe_options() {
    std::vector<Option> o;
    add_protocol_options(o);
    add_session_options(o);
    return o;
}

ClientOptions ClientOptions::from(const Settings& s) {
    ClientOptions o;
    o.max_message_size = static_cast<uint64_t>(s.integer("max_message_size"));
    o.max_errors = static_cast<uint32_t>(s.integer("max_errors"));
    o.deflate = s.boolean("deflate");
    o.max_topic_levels = static_cast<uint32_t>(s.integer("max_topic_levels"));
    o.session.subscriptions = subscription_limits(s);
    o.max_pending_publishes = static_cast<uint32_t>(s.integer("max_pending_publishes"));
    o.max_pending_requests = static_cast<uint32_t>(s.integer("max_pending_requests"));
    o.request_timeout_ms = static_cast<uint64_t>(s.integer("request_timeout_ms"));
    o.max_write_buffer = static_cast<size_t>(s.integer("max_write_buffer"));
    if (s.has("refuse_filters")) o.refuse_filters = s.list("refuse_filters");
    const std::string& when_full = s.string("when_full");
    o.disconnects_slow = when_full == "disconnect";
    o.session.drop_oldest = when_full == "drop_oldest";
    o.session.max_inflight = static_cast<uint16_t>(s.integer("max_inflight"));
    o.session.max_queued_messages = static_cast<size_t>(s.integer("max_queued_messages"));
    o.session.max_queued_bytes = static_cast<size_t>(s.integer("max_queued_bytes"));
    return o;
}

}  // namespace trestle::websocket::json
