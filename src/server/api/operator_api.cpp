// What operators do to the whole: config as loaded, reload, log level, drain.
#include "plugin_api/log.h"
#include "server/api/api_host.h"
#include "server/api/message_json.h"
#include "server/config.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

using nlohmann::json;

HttpResponse reload(ApiHost& host) {
    const ReloadOutcome outcome = host.reload();
    if (!outcome.faults.empty()) {
        HttpResponse refusal = http_problem(409, "The config has faults; the running one stays.");
        auto body = ordered_json::parse(refusal.body);
        body["faults"] = outcome.faults;
        refusal.body = json_response(body).body;
        return refusal;
    }
    return json_response({{"added", outcome.diff.added},
                          {"removed", outcome.diff.removed},
                          {"changed", outcome.diff.changed}});
}

HttpResponse log_answer(ApiHost& host) {
    return json_response(
        {{"level", to_string(host.log_sink().level())}, {"format", host.config().log.format}});
}

HttpResponse set_log(ApiHost& host, const HttpRequest& request) {
    json body;
    const bool is_right = read_body(request.body, body) && body.is_object() && body.size() == 1 &&
                          body.contains("level") && body["level"].is_string();
    const auto level = is_right ? log_level_from(body["level"].get<std::string>()) : std::nullopt;
    if (!level) {
        return http_problem(400,
                            "The body: expected {\"level\": \"debug\"}, or info, warn, error.");
    }
    Log(host.log_sink(), "admin").info("log level: {}", to_string(*level));
    host.log_sink().set_level(*level);
    return log_answer(host);
}

}  // namespace

void add_operator_api(Router& router, ApiHost& host) {
    router.exact("GET", "/api/v1/config", [&host](const HttpRequest&) {
        HttpResponse response;
        response.content_type = "application/json";
        response.body = host.config().shown;
        return response;
    });
    router.exact("GET", "/api/v1/log", [&host](const HttpRequest&) { return log_answer(host); });
    router.exact("PUT", "/api/v1/log",
                 [&host](const HttpRequest& request) { return set_log(host, request); });
    router.exact("POST", "/api/v1/reload",
                 when_open(host, [&host](const HttpRequest&, const HttpReplyPtr& reply) {
                     reply->send(reload(host));
                 }));
    router.exact("POST", "/api/v1/drain",
                 when_running(host, [&host](const HttpRequest&, const HttpReplyPtr& reply) {
                     reply->send(json_response({{"draining", true}}, 202));
                     host.drain();
                 }));
}

}  // namespace trestle
