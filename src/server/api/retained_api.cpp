// Retained messages: browse by filter, look at the tree of topics level by level, delete.
//
// The store may be asked from any thread and answers in portions, so this runs on the main thread.
#include <chrono>

#include "core/hub.h"
#include "core/topic.h"
#include "plugin_api/log.h"
#include "server/api/api_host.h"
#include "server/api/message_json.h"
#include "server/api/query.h"
#include "server/api/shard_pages.h"
#include "server/gateway.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

constexpr size_t kLargestPage = 1000;
constexpr size_t kMostPortions = 8;  // of the store, for one page
constexpr size_t kMostDeleted = 10'000;

uint64_t steady_ms() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
}

ordered_json json_of(const MessageView& message, uint64_t now_ms, Gateway& gateway) {
    ordered_json out{{"topic", message.topic}};
    put_payload(out, payload_shown(message.payload), message.payload.size());
    out["qos"] = static_cast<int>(message.qos);
    out["endpoint"] = gateway.name_of(message.origin);
    out["expires_s"] = message.expires_at_ms == kNeverExpires
                           ? ordered_json()
                           : ordered_json((message.expires_at_ms - now_ms) / 1000);
    const std::string_view properties = properties_shown(message.properties);
    put_properties(out, properties, message.properties.size());
    return out;
}

size_t bytes_shown(const MessageView& message) {
    return message.topic.size() + payload_shown(message.payload).size() +
           properties_shown(message.properties).size();
}

// The cursor is the store's place behind a letter: places may be empty texts.
std::string take_after(Query& query) {
    std::string after = query.text("after");
    if (!after.empty() && after[0] != '@') {
        query.refuse("after", "the \"next\" of the answer before");
    }
    return after;
}

RetainedCursor cursor_from(const std::string& filter, const std::string& after) {
    RetainedCursor cursor;
    cursor.filter = filter;
    cursor.begun = !after.empty();
    if (cursor.begun) cursor.after = after.substr(1);
    return cursor;
}

ordered_json next_of(const RetainedCursor& cursor) {
    return cursor.done ? ordered_json() : ordered_json("@" + cursor.after);
}

HttpResponse browse(ApiHost& host, const HttpRequest& request) {
    Query query(request.query);
    const std::string filter = query.optional_text("filter").value_or("#");
    const std::string after = take_after(query);
    const size_t limit = query.number("limit", 1, kLargestPage, 100);
    if (!is_valid_topic_filter(filter)) query.refuse("filter", "a topic filter");
    if (auto fault = query.fault()) return std::move(*fault);
    RetainedCursor cursor = cursor_from(filter, after);
    std::vector<MessagePtr> found;
    const uint64_t now = steady_ms();
    auto& store = host.gateway()->hub().retained();
    for (size_t i = 0; i < kMostPortions && !cursor.done && found.size() < limit; ++i) {
        store.collect(cursor, limit - found.size(), now, found);
    }
    ordered_json items = ordered_json::array();
    size_t bytes = 0;
    for (const auto& one : found) {
        items.push_back(json_of(one->view(), now, *host.gateway()));
        bytes += bytes_shown(one->view());
        if (bytes < kMostPageBytes || one == found.back()) continue;
        cursor.after = one->view().topic;
        cursor.done = false;
        break;
    }
    return json_response({{"items", std::move(items)}, {"next", next_of(cursor)}});
}

HttpResponse remove(ApiHost& host, const HttpRequest& request) {
    Query query(request.query);
    const auto topic = query.optional_text("topic");
    const auto filter = query.optional_text("filter");
    const std::string after = take_after(query);
    if (topic.has_value() == filter.has_value()) query.refuse("topic", "either it, or filter");
    if (topic && !is_valid_topic_name(*topic)) {
        query.refuse("topic", "a topic name, without wildcards");
    }
    if (filter && !is_valid_topic_filter(*filter)) query.refuse("filter", "a topic filter");
    if (topic && !after.empty()) query.refuse("after", "it with filter only");
    if (auto fault = query.fault()) return std::move(*fault);
    auto& store = host.gateway()->hub().retained();
    RetainedCursor cursor = cursor_from(topic ? *topic : *filter, after);
    std::vector<MessagePtr> found;
    for (size_t i = 0; i < kMostPortions && !cursor.done && found.size() < kMostDeleted; ++i) {
        store.collect(cursor, kMostDeleted - found.size(), steady_ms(), found);
    }
    for (const auto& one : found) {
        MessageView nothing;  // an empty payload clears
        nothing.topic = one->view().topic;
        store.keep(Message::copy_of(nothing), 0);
    }
    if (topic && found.empty()) {
        return http_problem(404, "There is no retained message on \"" + *topic + "\".");
    }
    Log(host.log_sink(), "admin").info("deleted {} retained messages", found.size());
    return json_response({{"deleted", found.size()}, {"next", next_of(cursor)}});
}

HttpResponse levels(ApiHost& host, const HttpRequest& request) {
    Query query(request.query);
    const auto below = query.optional_text("below");
    const auto after = query.optional_text("after");
    const size_t limit = query.number("limit", 1, kLargestPage, 200);
    if (auto fault = query.fault()) return std::move(*fault);
    const uint64_t now = steady_ms();
    const auto found = host.gateway()->hub().retained().levels_below(below, after, limit, now);
    ordered_json items = ordered_json::array();
    size_t bytes = 0;
    for (const auto& level : found) {
        if (bytes >= kMostPageBytes) break;
        const std::string topic = below ? *below + "/" + level.name : level.name;
        bytes += topic.size() + (level.message ? bytes_shown(level.message->view()) : 0);
        items.push_back(
            {{"level", level.name},
             {"topic", topic},
             {"has_below", level.has_below},
             {"message", level.message ? json_of(level.message->view(), now, *host.gateway())
                                       : ordered_json()}});
    }
    const size_t shown = items.size();
    const bool is_last = shown == found.size() && shown < limit;
    return json_response(
        {{"items", std::move(items)},
         {"next", is_last ? ordered_json() : ordered_json(found[shown - 1].name)}});
}

}  // namespace

void add_retained_api(Router& router, ApiHost& host) {
    const auto answer = [&](const char* method, const char* path, auto make) {
        router.exact(method, path,
                     when_running(host, [&host, make](const HttpRequest& request,
                                                      const HttpReplyPtr& reply) {
                         reply->send(make(host, request));
                     }));
    };
    answer("GET", "/api/v1/retained", &browse);
    answer("DELETE", "/api/v1/retained", &remove);
    answer("GET", "/api/v1/topics", &levels);
}

}  // namespace trestle
