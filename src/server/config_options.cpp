#include "server/config_options.h"

#include <algorithm>

namespace trestle {

bool is_config_name(std::string_view name) {
    auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    return !name.empty() && name.size() <= kLongestName && plain(name.front()) &&
           std::all_of(name.begin(), name.end(),
                       [&](char c) { return plain(c) || c == '_' || c == '-'; });
}

std::vector<Option> top_options() {
    return {
        Option::string("$schema", "Address of the JSON Schema, for editors; not read")
            .shown_as("./trestle.schema.json"),
        Option::object(
            "admin", "HTTP for metrics, probes and the API",
            {Option::string("listen", "Address; left out = no admin HTTP")
                 .shown_as("http://127.0.0.1:8080"),
             Option::string("probe_listen",
                            "One more address with /healthz, /readyz and /metrics only, without a "
                            "token: for kubelet and Prometheus")
                 .shown_as("http://0.0.0.0:8081"),
             Option::string(
                 "token",
                 "Bearer token that requests must carry on `listen`, but for /healthz, /readyz and "
                 "the files of the dashboard")
                 .not_empty()
                 .shown_as("${file:/run/secrets/trestle-token}"),
             Option::boolean("anonymous", "Listen beyond loopback without a token").fallback(false),
             Option::integer("max_tails", "Live tails of messages at the same time")
                 .between(0, 64)
                 .fallback(8),
             Option::integer("tail_rate", "Messages a second that one live tail shows")
                 .between(1, 1000)
                 .fallback(100)}),
        Option::integer("shards", "Threads that carry connections").between(1, 64).fallback(1),
        Option::object("log", "What is logged, to standard output",
                       {Option::string("level", "Least severe level that is logged")
                            .one_of({"debug", "info", "warn", "warning", "error"})
                            .fallback("info"),
                        Option::string("format", "Plain lines or one JSON object per line")
                            .one_of({"text", "json"})
                            .fallback("text")}),
        Option::object(
            "hub", "The one topic space of all endpoints",
            {Option::integer("max_retained_messages", "Retained messages kept at most")
                 .between(0, 1'000'000'000)
                 .fallback(1'000'000),
             Option::integer("max_retained_bytes", "Bytes of retained messages kept at most")
                 .between(0, 1e15)
                 .fallback(int64_t{1} << 30),
             Option::integer("max_session_bytes",
                             "Bytes that all sessions together hold: messages queued and in "
                             "flight, wills")
                 .between(1, 1e15)
                 .fallback(int64_t{4} << 30),
             Option::integer("sys_interval_s",
                             "Seconds between updates of the $SYS topics; 0 = no such topics")
                 .between(0, 86'400)
                 .fallback(10)}),
        Option::integer("drain_timeout_ms", "Longest time that SIGTERM waits for queues to empty")
            .between(0, 3'600'000)
            .fallback(5000),
    };
}

std::vector<Option> route_options() {
    return {
        Option::string("name", "Unique name: in metrics, logs and reloads").required(),
        Option::string("description", "Free text"),
        Option::string("mqtt", "Topic template")
            .required()
            .not_empty()
            .shown_as("sensors/{site}/{device}/temperature"),
        Option::string("zmq", "Key template")
            .required()
            .not_empty()
            .shown_as("temperature.{site}.{device}"),
        Option::string("to", "Endpoint that messages go to (MQTT to ZeroMQ): pub, push or router"),
        Option::string("from", "Endpoint that messages come from (ZeroMQ to MQTT): sub or pull"),
        Option::string_list("exclude", "Topic filters of topics that the route leaves alone"),
        Option::integer("qos",
                        "QoS of messages from ZeroMQ (default 1); the most of messages to ZeroMQ "
                        "(default 2)")
            .between(0, 2),
        Option::boolean("retain", "Messages from ZeroMQ become retained messages").fallback(false),
        Option::string("ack", "When the publisher is answered: message taken, or worker replied")
            .one_of({"accepted", "worker"})
            .fallback("accepted"),
        Option::integer("timeout_ms", "Longest time for a worker to reply")
            .between(1, 86'400'000)
            .fallback(30'000),
        Option::object(
            "queue", "Messages that wait for ZeroMQ to take them",
            {Option::integer("max_messages", "Most messages")
                 .between(1, 100'000'000)
                 .fallback(100'000),
             Option::integer("max_bytes", "Most bytes")
                 .between(1024, 1'099'511'627'776.0)
                 .fallback(67'108'864),
             Option::string("when_full",
                            "Default: block for QoS 1 and 2, drop_oldest for QoS 0, which never "
                            "waits")
                 .one_of({"block", "drop_oldest", "drop_newest"}),
             Option::integer("block_ms", "Longest time that a publisher waits for room")
                 .between(0, 3'600'000)
                 .fallback(10'000)}),
        Option::boolean("snapshot",
                        "A new subscriber of a pub endpoint gets the retained messages that match")
            .fallback(false),
        Option::string("no_receiver",
                       "What a publisher is told when no subscriber of a pub endpoint asks for the "
                       "key: accepted, 0x10 (no matching subscribers), or 0x97 (not taken)")
            .one_of({"accept", "report", "refuse"})
            .fallback("accept"),
        Option::string("share", "Group that takes turns with MQTT clients of $share/<group>/..."),
        Option::string("dead_letter", "Topic for messages that no worker took")
            .shown_as("dead/encode"),
        Option::string("key",
                       "Jobs with the same key go to workers one after the other, in order; a "
                       "template over the captures of `mqtt`")
            .shown_as("{device}"),
    };
}

std::vector<Option> endpoint_options(const std::vector<std::string>& plugin_names,
                                     const std::vector<Option>& of_plugin) {
    std::vector<Option> options{
        Option::string("plugin", "Protocol of the endpoint").one_of(plugin_names).required()};
    const bool has_anonymous =
        std::any_of(of_plugin.begin(), of_plugin.end(),
                    [](const Option& option) { return option.name == "anonymous"; });
    if (!has_anonymous) {
        options.push_back(Option::boolean("anonymous",
                                          "Everybody who can reach it may use it; needed to listen "
                                          "beyond loopback without authentication")
                              .fallback(false));
    }
    options.insert(options.end(), of_plugin.begin(), of_plugin.end());
    return options;
}

}  // namespace trestle
