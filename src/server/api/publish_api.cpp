// A test message into the hub, and what became of it.
#include "core/topic.h"
#include "core/utf8.h"
#include "server/api/api_host.h"
#include "server/api/message_json.h"
#include "server/gateway.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

using nlohmann::json;

struct Parsed {
    std::string topic, payload;
    Qos qos = Qos::at_least_once;
    bool retain = false;
    std::string fault;
};

const char* word_of(Outcome outcome) {
    switch (outcome) {
        case Outcome::accepted:
            return "accepted";
        case Outcome::no_subscriber:
            return "no_subscriber";
        case Outcome::no_receiver:
            return "no_receiver";
        case Outcome::not_retained:
            return "not_retained";
        case Outcome::dead_lettered:
            return "dead_lettered";
        case Outcome::timed_out:
            return "timed_out";
        case Outcome::queue_full:
            return "queue_full";
        case Outcome::given_up:
            break;
    }
    return "given_up";
}

std::string take_topic(const json& body, std::string& topic) {
    const auto given = body.find("topic");
    if (given == body.end() || !given->is_string()) return "topic: expected a string.";
    topic = given->get<std::string>();
    if (!is_valid_topic_name(topic) || !is_valid_mqtt_utf8(topic)) {
        return "topic: expected a topic name (no wildcards, at most 65535 bytes of UTF-8).";
    }
    if (topic.starts_with('$')) return "topic: topics that begin with $ are the server's own.";
    return {};
}

Parsed parse(std::string_view text) {
    Parsed parsed;
    json body;
    if (!read_body(text, body) || !body.is_object()) {
        parsed.fault = "The body: expected a JSON object of at most 64 levels.";
        return parsed;
    }
    for (const auto& [key, value] : body.items()) {
        if (key != "topic" && key != "payload" && key != "encoding" && key != "qos" &&
            key != "retain") {
            parsed.fault =
                key + ": there is no such key; expected topic, payload, encoding, qos, retain.";
            return parsed;
        }
    }
    parsed.fault = take_topic(body, parsed.topic);
    if (!parsed.fault.empty()) return parsed;
    const json qos = body.value("qos", json(1));
    if (!qos.is_number_integer() || qos < 0 || qos > 2)
        parsed.fault = "qos: expected 0, 1 or 2.";
    else
        parsed.qos = static_cast<Qos>(qos.get<int>());
    const json retain = body.value("retain", json(false));
    if (!retain.is_boolean())
        parsed.fault = "retain: expected true or false.";
    else
        parsed.retain = retain.get<bool>();
    std::string expected;
    const auto payload = payload_of(body, expected);
    if (payload)
        parsed.payload = *payload;
    else
        parsed.fault = expected;
    return parsed;
}

/// Waits on a shard for an outcome that comes later, and sends the answer.
class Waiter final : public AckReceiver {
 public:
    explicit Waiter(std::function<void(Outcome)> then) : then_(std::move(then)) {}
    void on_settled(uint64_t, Outcome outcome) override {
        const auto kept = std::move(self);  // until the end of this call
        then_(outcome);
    }
    std::shared_ptr<Waiter> self;

 private:
    std::function<void(Outcome)> then_;
};

void publish_on(Shard& shard, const Parsed& parsed, const std::function<void(Outcome)>& then) {
    Publisher from;
    const auto waiter = std::make_shared<Waiter>(then);
    const std::weak_ptr<AckReceiver> weak = waiter;
    const MessageView message{.topic = parsed.topic,
                              .payload = parsed.payload,
                              .properties = {},
                              .qos = parsed.qos,
                              .retain = parsed.retain};
    const bool can_wait = parsed.qos != Qos::at_most_once;
    const auto result = shard.hub().publish(message, from, can_wait ? &weak : nullptr);
    if (result.pending) {
        waiter->self = waiter;
    } else {
        then(result.outcome);
    }
}

}  // namespace

void add_publish_api(Router& router, ApiHost& host) {
    router.exact("POST", "/api/v1/publish",
                 when_open(host, [&host](const HttpRequest& request, const HttpReplyPtr& reply) {
                     Parsed parsed = parse(request.body);
                     if (!parsed.fault.empty()) {
                         return reply->send(http_problem(400, parsed.fault));
                     }
                     Shard& shard = host.gateway()->shard(0);
                     const auto then = [&host, reply](Outcome outcome) {
                         boost::asio::post(host.io(), [reply, outcome] {
                             reply->send(json_response({{"outcome", word_of(outcome)}}));
                         });
                     };
                     shard.post([&shard, parsed = std::move(parsed), then] {
                         publish_on(shard, parsed, then);
                     });
                 }));
}

}  // namespace trestle
