#include "server/http_answer.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <ctime>
#include <nlohmann/json.hpp>

#include "server/router.h"

namespace trestle {

namespace http = boost::beast::http;

std::string_view http_reason(unsigned status) {
    const auto reason = http::obsolete_reason(http::int_to_status(status));
    return {reason.data(), reason.size()};
}

std::string http_head(const HttpResponse& response, bool is_http_1_0, bool keep_alive,
                      HttpEnd end) {
    std::string head =
        fmt::format("HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", response.status,
                    http_reason(response.status), fmt::gmtime(std::time(nullptr)));
    const auto add = [&head](std::string_view name, std::string_view value) {
        head.append(name).append(": ").append(value).append("\r\n");
    };
    const bool has_body = response.status != 204;  // RFC 9110, 8.6
    if (end == HttpEnd::by_length && has_body)
        add("Content-Length", std::to_string(response.body.size()));
    if (!response.content_type.empty()) add("Content-Type", response.content_type);
    add("Cache-Control", "no-store");
    add("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) add(name, value);
    if (!keep_alive) {
        add("Connection", "close");
    } else if (is_http_1_0) {
        add("Connection", "keep-alive");
    }
    head.append("\r\n");
    return head;
}

HttpResponse http_problem(unsigned status, std::string_view detail) {
    HttpResponse response;
    response.status = status;
    response.content_type = "application/problem+json";
    const nlohmann::ordered_json body{{"type", "about:blank"},
                                      {"title", http_reason(status)},
                                      {"status", status},
                                      {"detail", detail}};
    response.body =
        body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
    return response;
}

HttpResponse http_refusal(const HttpRequest& request, unsigned status, std::string_view sentence) {
    return request.path.starts_with("/api/") ? http_problem(status, sentence)
                                             : HttpResponse::text(status, sentence);
}

}  // namespace trestle
