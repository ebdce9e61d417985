// Which function answers which path of the admin HTTP server.
//
// A request and its answer are plain values; nothing of the HTTP library shows here. A router is
// filled while starting and read-only afterwards; handlers run on the server's thread and must not
// block.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trestle {

/// Valid while the handler runs.
struct HttpRequest {
    std::string_view method;  // as sent: "GET"
    std::string_view path;    // from the first '/', not decoded, without the query
    std::string_view query;   // after '?', without it; not decoded
    std::string_view body;
    std::vector<std::pair<std::string_view, std::string_view>> headers;  // in order of arrival

    /// The first header of that name (in any case), or "".
    [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::string body;
    std::string content_type = "text/plain; charset=utf-8";
    std::vector<std::pair<std::string, std::string>> headers;

    /// One plain sentence.
    static HttpResponse text(unsigned status, std::string_view sentence);
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

/// Exact paths win over prefixes, longer prefixes over shorter ones. HEAD is answered by the
/// handler of GET (the server leaves the body out). No match: 404; a match with other methods: 405
/// with Allow.
class Router {
 public:
    /// `path` alone.
    void exact(std::string method, std::string path, HttpHandler handler);
    /// Every path that begins with `prefix`; end it with '/'.
    void prefix(std::string method, std::string prefix, HttpHandler handler);

    /// From now on a request needs `Authorization: Bearer <token>` (RFC 6750), else 401; the paths
    /// in `open` do not.
    void ask_token(std::string token, std::vector<std::string> open);

    /// Never throws: what a handler throws becomes a 500.
    [[nodiscard]] HttpResponse handle(const HttpRequest& request) const noexcept;

 private:
    struct Entry {
        std::string path;
        bool is_prefix;
        std::vector<std::pair<std::string, HttpHandler>> methods;
    };
    void add(std::string method, std::string path, bool is_prefix, HttpHandler handler);
    [[nodiscard]] const Entry* find(std::string_view path) const;
    [[nodiscard]] HttpResponse answer(const HttpRequest& request) const;
    [[nodiscard]] bool may_ask(const HttpRequest& request) const;

    std::vector<Entry> entries_;
    std::string token_;
    std::vector<std::string> open_;
};

}  // namespace trestle
