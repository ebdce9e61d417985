#include "zmq/options.h"

#include <algorithm>

#include "plugin_api/uri.h"

namespace trestle::zmq {

namespace {

// A subscriber that lags may have the gateway hold this much; libzmq tells of room in halves of it.
constexpr int kPubHwm = 20'000;
// What a dying worker loses beside its socket buffers. With 100, a busy worker costs twice the CPU,
// since most messages go through the queue; beyond 300 little is gained.
constexpr int kPushHwm = 300;
// More than a worker is ever given at once, heartbeats included.
constexpr int kRouterHwm = 4096;
constexpr int kLiveness = 3;
// ZMTP tells it to the peer in 16 bits of tenths of a second.
constexpr int64_t kLongestSilenceMs = 6'553'500;
// A ping waits behind what a peer has not read yet. To cut off one that takes its time over jobs
// would lose all that lies between; so there are none where messages are handed over for good, and
// TCP's keep-alive finds the dead.
constexpr int kPubHeartbeatMs = 5000;
constexpr int kRouterHeartbeatMs = 2500;
constexpr size_t kLargestMessage = 64u << 20;
constexpr size_t kLargestFromReaders = 64u << 10;
constexpr int kReceiveHwm = 1000;
// Subscriptions. Once libzmq has begun to take in those of a peer, it goes on within one call, on
// the shard, as long as there is another one: with more than one waiting, or with long ones that
// take longer than its I/O thread to bring the next, a peer that never pauses would not let it
// return. Of each byte libzmq makes dozens.
constexpr size_t kLongestSubscription = 1u << 10;
constexpr int kPubReceiveHwm = 1;

SocketKind socket_kind(const std::string& name) {
    if (name == "pub") return SocketKind::pub;
    if (name == "push") return SocketKind::push;
    if (name == "router") return SocketKind::router;
    return name == "pull" ? SocketKind::pull : SocketKind::sub;
}

Format format_of(const std::string& name) {
    if (name == "single") return Format::single;
    if (name == "payload") return Format::payload;
    return name == "full" ? Format::full : Format::topic_payload;
}

void check_address(const std::string& text, const std::string& path, bool is_bind,
                   FaultSink& faults) {
    const ParsedUri parsed = parse_uri(text);
    if (!parsed.uri) {
        // The host says so itself of everything that listens.
        if (!is_bind) {
            faults.fault(path, "found \"" + text + "\", which " + parsed.fault +
                                   ", expected an address such as tcp://worker:5557");
        }
        return;
    }
    const Uri& uri = *parsed.uri;
    if (uri.scheme != "tcp" && uri.scheme != "ipc") {
        faults.fault(path, "found \"" + text + "\", expected tcp://host:port or ipc://path");
    } else if (!uri.is_local && !uri.path.empty()) {
        faults.fault(path, "found \"" + text + "\", expected no path behind the port");
    } else if (!is_bind && !uri.is_local && (uri.port == 0 || uri.host == "*")) {
        faults.fault(path, "found \"" + text + "\", expected a host and port to connect to");
    }
}

void check_addresses(const Settings& settings, const char* key, bool is_bind, FaultSink& faults) {
    const auto& addresses = settings.list(key);
    for (size_t i = 0; i < addresses.size(); ++i) {
        check_address(addresses[i], std::string(key) + "[" + std::to_string(i) + "]", is_bind,
                      faults);
    }
}

int hwm_of(SocketKind socket) {
    if (socket == SocketKind::router) return kRouterHwm;
    return socket == SocketKind::pub ? kPubHwm : kPushHwm;
}

size_t most_from_peer(SocketKind socket) {
    if (socket == SocketKind::pub) return kLongestSubscription;
    return socket == SocketKind::push ? kLargestFromReaders : kLargestMessage;
}

int heartbeat_of(SocketKind socket) {
    if (socket == SocketKind::router) return kRouterHeartbeatMs;
    return socket == SocketKind::pub ? kPubHeartbeatMs : 0;
}

std::vector<Option> describe_router_options() {
    return {
        Option::string(
            "body",
            "What a job consists of (router): the payload, [key][payload], or [key][meta "
            "as JSON][payload], which is the default")
            .one_of({"payload", "topic_payload", "full"}),
        Option::integer("liveness",
                        "Heartbeats without a sign of life after which an idle worker is lost")
            .between(1, 100)
            .fallback(kLiveness),
        Option::integer("lease_ms",
                        "How long a worker may have a job without a word about it; then it goes to "
                        "another")
            .between(10, 86'400'000)
            .fallback(30'000),
        Option::integer("max_lease_ms", "The same, however often it says that it is still at it")
            .between(10, 86'400'000)
            .fallback(600'000),
        Option::integer("max_attempts", "Workers that are tried before a job is given up")
            .between(1, 1000)
            .fallback(5),
        Option::integer("max_nack_delay_ms",
                        "How long a worker of Trestle's own protocol may have a job wait that it "
                        "gives back; more counts as so much")
            .between(0, 86'400'000)
            .fallback(3'600'000),
        Option::integer("max_workers", "Workers at the same time")
            .between(1, 1'000'000)
            .fallback(10'000),
        Option::integer("max_window",
                        "Jobs that a worker of Trestle's own protocol may have at once")
            .between(1, 4000)
            .fallback(1000),
        Option::integer("max_in_flight_bytes",
                        "Bytes of the jobs that workers have, all together; one larger job goes "
                        "alone")
            .between(1024, 1'099'511'627'776.0)
            .fallback(256 << 20),
        Option::integer(
            "max_unsent_bytes",
            "Bytes of the messages that one peer has not read yet and libzmq holds; one "
            "larger message goes alone")
            .between(1024, 1'099'511'627'776.0)
            .fallback(16 << 20),
        Option::integer("max_frames", "Frames of one message from a peer")
            .between(8, 10'000)
            .fallback(64),
        Option::integer("max_requests", "Requests of clients that wait for a worker")
            .between(1, 10'000'000)
            .fallback(10'000),
        Option::integer("max_request_bytes", "Bytes of such requests")
            .between(1024, 1'099'511'627'776.0)
            .fallback(64 << 20),
        Option::integer("request_timeout_ms", "How long a client's request may take")
            .between(1, 86'400'000)
            .fallback(30'000),
        Option::integer("max_requests_per_client",
                        "Requests of one client that are not answered yet; without it, a tenth of "
                        "max_requests, at least 1000")
            .between(1, 10'000'000),
        Option::integer("max_request_bytes_per_client",
                        "Bytes of one client's requests; without it, half of max_request_bytes, at "
                        "least 1048576")
            .between(1, 1'099'511'627'776.0),
        Option::integer("max_request_timeout_ms",
                        "How long a client may have a device's answer waited for; more counts as "
                        "so much")
            .between(1, 86'400'000)
            .fallback(3'600'000),
    };
}

void check_terminator(const Settings& settings, FaultSink& faults) {
    if (settings.string("terminator") == "none") return;
    if (settings.string("socket") == "router") {
        faults.fault("terminator", "found on a router socket, whose keys are names of services");
        return;
    }
    const Format format = format_of(settings.string("format"));
    if (format == Format::single) {
        faults.fault("terminator",
                     "found on the format \"single\", whose keys end with the separator: it can be "
                     "\"\\u0000\"");
    } else if (format == Format::payload) {
        faults.fault("terminator", "found on the format \"payload\", which has no keys");
    }
}

void check_sequence(const Settings& settings, FaultSink& faults) {
    if (!settings.boolean("sequence")) {
        if (settings.given("sequence_keys")) {
            faults.warning("sequence_keys", "has no effect without \"sequence\": true");
        }
        return;
    }
    const Format format = format_of(settings.string("format"));
    if (settings.string("socket") != "pub") {
        faults.fault("sequence", "found on a " + settings.string("socket") +
                                     " socket, expected it on a pub socket only");
    } else if (format == Format::single || format == Format::payload) {
        faults.fault("sequence", "found on the format \"" + settings.string("format") +
                                     "\", expected topic_payload or full, which have a place for "
                                     "it");
    }
}

int as_int(const Settings& settings, std::string_view key) {
    return static_cast<int>(settings.integer(key));
}

}  // namespace

std::vector<Option> describe_options() {
    std::vector<Option> options{
        Option::string("socket", "Type of the ZeroMQ socket")
            .one_of({"pub", "push", "pull", "sub", "router"})
            .required(),
        Option::string_list("bind", "Addresses to listen on")
            .between(0, 64)
            .fallback(std::vector<std::string>{})
            .shown_as("tcp://127.0.0.1:5556"),
        Option::string_list("connect", "Addresses to connect to; again whenever one is lost")
            .between(0, 64)
            .fallback(std::vector<std::string>{})
            .shown_as("tcp://worker:5557"),
        Option::string("format",
                       "Frames of a message: [key][payload], one frame of both, the payload alone, "
                       "or [key][meta as JSON][payload]")
            .one_of({"topic_payload", "single", "payload", "full"})
            .fallback("topic_payload"),
        Option::string("separator", "Stands between key and payload (format \"single\")")
            .fallback(" "),
        Option::string("terminator",
                       "Ends every key: with nul, a subscriber to \"sensor.1\\0\" does not get "
                       "\"sensor.10\"; keys from workers must end so, too")
            .one_of({"none", "nul"})
            .fallback("none"),
        Option::boolean("sequence",
                        "Numbers the messages of each key of a pub endpoint, so that subscribers "
                        "can tell what they have missed")
            .fallback(false),
        Option::integer("sequence_keys",
                        "Keys whose numbers are kept; of others, numbers begin anew")
            .between(1, 100'000'000)
            .fallback(100'000),
        Option::integer("snapshot_min_interval_ms",
                        "Retained messages for new subscribers: a prefix is served this often at "
                        "most")
            .between(0, 3'600'000)
            .fallback(1000),
        Option::integer("snapshot_max_messages",
                        "Retained messages that a prefix gets at a time at most")
            .between(1, 100'000'000)
            .fallback(10'000),
        Option::string_list("subscribe",
                            "Prefixes that a sub socket asks for; without it, those of its routes")
            .between(0, 1024)
            .shown_as("temperature."),
        Option::integer("send_hwm",
                        "Messages that libzmq holds for each peer; 20000 for pub, 300 for push, "
                        "4096 for router")
            .between(1, 1'000'000),
        Option::integer("receive_hwm",
                        "Messages that libzmq holds from each peer; 1 for pub, 1000 else")
            .between(1, 1'000'000),
        Option::integer("linger_ms", "At the end: how long libzmq may take to send what it holds")
            .between(0, 600'000)
            .fallback(1000),
        Option::integer("heartbeat_ms",
                        "Peers are pinged this often, lost after three times as long; 0: never, "
                        "for push, pull and sub; 5000 for pub; 2500 for router: its workers' "
                        "heartbeats too")
            .between(0, 600'000),
        Option::integer("handshake_timeout_ms", "Time that a new peer has to introduce itself")
            .between(100, 600'000)
            .fallback(5000),
        Option::integer("max_message_size",
                        "Bytes of the largest message taken from a peer; 67108864, but 65536 for "
                        "push and 1024 for pub, whose peers have little to say")
            .between(1, 268'435'455),
        Option::integer("max_subscriptions",
                        "Different prefixes that a pub endpoint keeps track of; while there are "
                        "more, everything is handed to libzmq")
            .between(1, 100'000'000)
            .fallback(100'000),
        Option::integer("max_subscriptions_per_peer",
                        "Prefixes that one peer of a pub endpoint may ask for; with more it is cut "
                        "off")
            .between(1, 100'000'000)
            .fallback(200'000),
        Option::integer("max_subscription_bytes_per_peer",
                        "Bytes of one peer's prefixes, of which libzmq makes dozens each")
            .between(1024, 1'099'511'627'776.0)
            .fallback(4 << 20),
        Option::integer("backlog", "Connections that wait to be accepted")
            .between(1, 65'535)
            .fallback(1024),
    };
    const auto of_router = describe_router_options();
    options.insert(options.end(), of_router.begin(), of_router.end());
    return options;
}

namespace {

void check_router_options(const Settings& settings, FaultSink& faults) {
    if (settings.has("heartbeat_ms") && settings.integer("heartbeat_ms") == 0) {
        faults.fault("heartbeat_ms", "found 0, expected at least 1 for a router");
    }
    if (settings.has("heartbeat_ms") &&
        settings.integer("heartbeat_ms") * settings.integer("liveness") > kLongestSilenceMs) {
        faults.fault("heartbeat_ms", "found " + std::to_string(settings.integer("heartbeat_ms")) +
                                         ", expected heartbeat_ms times liveness to be at most " +
                                         std::to_string(kLongestSilenceMs));
    }
    if (settings.integer("max_lease_ms") < settings.integer("lease_ms")) {
        faults.fault("max_lease_ms", "found " + std::to_string(settings.integer("max_lease_ms")) +
                                         ", expected at least lease_ms (" +
                                         std::to_string(settings.integer("lease_ms")) + ")");
    }
    if (settings.integer("max_request_timeout_ms") < settings.integer("request_timeout_ms")) {
        faults.fault("max_request_timeout_ms",
                     "found " + std::to_string(settings.integer("max_request_timeout_ms")) +
                         ", expected at least request_timeout_ms (" +
                         std::to_string(settings.integer("request_timeout_ms")) + ")");
    }
    if (settings.given("format")) {
        faults.warning("format",
                       "has no effect: the frames of a router's jobs are set by \"body\"");
    }
}

}  // namespace

void check_options(const Settings& settings, FaultSink& faults) {
    const bool is_router = socket_kind(settings.string("socket")) == SocketKind::router;
    if (is_router) check_router_options(settings, faults);
    for (const auto& option : describe_router_options()) {
        if (!is_router && settings.given(option.name)) {
            faults.fault(option.name, "found on a " + settings.string("socket") +
                                          " socket, expected it on a router socket only");
        }
    }
    if (settings.list("bind").empty() && settings.list("connect").empty()) {
        faults.fault("", "found no address, expected \"bind\" or \"connect\" with at least one");
    }
    check_addresses(settings, "bind", true, faults);
    check_addresses(settings, "connect", false, faults);
    const bool is_single = format_of(settings.string("format")) == Format::single;
    if (is_single && settings.string("separator").empty()) {
        faults.fault("separator", "found \"\", expected at least one byte");
    }
    if (!is_single && settings.given("separator")) {
        faults.warning("separator", "has no effect: only the format \"single\" has one");
    }
    check_terminator(settings, faults);
    check_sequence(settings, faults);
    for (const char* key :
         {"max_subscriptions", "max_subscriptions_per_peer", "max_subscription_bytes_per_peer"}) {
        if (settings.given(key) && settings.string("socket") != "pub") {
            faults.warning(key, "has no effect: only a pub socket has subscriptions");
        }
    }
    if (settings.given("subscribe") && socket_kind(settings.string("socket")) != SocketKind::sub) {
        faults.fault("subscribe", "found on a " + settings.string("socket") +
                                      " socket, expected it on a sub socket only");
    }
}

void EndpointOptions::take_router(const Settings& settings) {
    frames.format = settings.has("body") ? format_of(settings.string("body")) : Format::full;
    router.heartbeat_ms = static_cast<uint64_t>(heartbeat_ms);
    router.liveness = static_cast<uint32_t>(settings.integer("liveness"));
    router.lease_ms = static_cast<uint64_t>(settings.integer("lease_ms"));
    router.max_lease_ms = static_cast<uint64_t>(settings.integer("max_lease_ms"));
    router.max_attempts = static_cast<uint32_t>(settings.integer("max_attempts"));
    router.max_nack_delay_ms = static_cast<uint32_t>(settings.integer("max_nack_delay_ms"));
    router.max_workers = static_cast<size_t>(settings.integer("max_workers"));
    router.max_window = static_cast<uint32_t>(settings.integer("max_window"));
    router.max_in_flight_bytes = static_cast<size_t>(settings.integer("max_in_flight_bytes"));
    router.max_unsent_bytes = static_cast<size_t>(settings.integer("max_unsent_bytes"));
    router.max_frames = static_cast<size_t>(settings.integer("max_frames"));
    router.max_requests = static_cast<size_t>(settings.integer("max_requests"));
    router.max_request_bytes = static_cast<size_t>(settings.integer("max_request_bytes"));
    const auto share = [&](const char* name, size_t fallback) {
        return settings.has(name) ? static_cast<size_t>(settings.integer(name)) : fallback;
    };
    // No client fills what all share, unless that is little.
    router.max_requests_per_client =
        share("max_requests_per_client", std::max<size_t>(1000, router.max_requests / 10));
    router.max_request_bytes_per_client = share(
        "max_request_bytes_per_client", std::max<size_t>(1u << 20, router.max_request_bytes / 2));
    router.request_timeout_ms = static_cast<uint32_t>(settings.integer("request_timeout_ms"));
    router.max_request_timeout_ms =
        static_cast<uint32_t>(settings.integer("max_request_timeout_ms"));
}

EndpointKind kind_of(const Settings& settings) {
    const EndpointOptions options = EndpointOptions::from(settings);
    EndpointKind kind;
    kind.takes_routes = options.sends();
    kind.gives_messages = !options.sends();
    kind.needs_fixed_topic = !options.sends() && options.frames.format == Format::payload;
    kind.prefix_matched = options.socket == SocketKind::pub;
    kind.has_services = kind.worker_acks = options.socket == SocketKind::router;
    kind.shares_jobs = options.socket == SocketKind::push || options.socket == SocketKind::router;
    kind.terminates_keys = options.frames.has_terminator;
    return kind;
}

EndpointOptions EndpointOptions::from(const Settings& settings) {
    EndpointOptions options;
    options.socket = socket_kind(settings.string("socket"));
    options.bind = settings.list("bind");
    options.connect = settings.list("connect");
    options.frames.format = format_of(settings.string("format"));
    options.frames.separator = settings.string("separator");
    options.frames.has_terminator = settings.string("terminator") == "nul";
    options.frames.has_sequence = settings.boolean("sequence");
    options.snapshot_min_interval_ms = as_int(settings, "snapshot_min_interval_ms");
    options.snapshot_max_messages = static_cast<size_t>(settings.integer("snapshot_max_messages"));
    options.sequence_keys = static_cast<size_t>(settings.integer("sequence_keys"));
    options.send_hwm = hwm_of(options.socket);
    if (settings.has("send_hwm")) options.send_hwm = as_int(settings, "send_hwm");
    options.receive_hwm = options.socket == SocketKind::pub ? kPubReceiveHwm : kReceiveHwm;
    if (settings.has("receive_hwm")) options.receive_hwm = as_int(settings, "receive_hwm");
    options.linger_ms = as_int(settings, "linger_ms");
    const bool is_router = options.socket == SocketKind::router;
    options.heartbeat_ms = heartbeat_of(options.socket);
    if (settings.has("heartbeat_ms")) options.heartbeat_ms = as_int(settings, "heartbeat_ms");
    const int liveness = is_router ? as_int(settings, "liveness") : kLiveness;
    options.heartbeat_timeout_ms = liveness * options.heartbeat_ms;
    if (is_router) options.take_router(settings);
    options.handshake_timeout_ms = as_int(settings, "handshake_timeout_ms");
    options.backlog = as_int(settings, "backlog");
    options.max_message_size = most_from_peer(options.socket);
    if (settings.has("max_message_size")) {
        options.max_message_size = static_cast<size_t>(settings.integer("max_message_size"));
    }
    options.max_subscriptions = static_cast<size_t>(settings.integer("max_subscriptions"));
    options.max_subscriptions_per_peer =
        static_cast<size_t>(settings.integer("max_subscriptions_per_peer"));
    options.max_subscription_bytes_per_peer =
        static_cast<size_t>(settings.integer("max_subscription_bytes_per_peer"));
    options.has_subscribe = settings.has("subscribe");
    if (options.has_subscribe) options.subscribe = settings.list("subscribe");
    return options;
}

}  // namespace trestle::zmq
