// Which function answers which path of the admin HTTP server.
//
// A request and its answer are plain values; nothing of the HTTP library shows here. A router is
// filled while starting and read-only afterwards; handlers run on the server's thread and must not
// block: one that has to ask elsewhere keeps its `HttpReply` and answers later, on the same thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
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

/// An answer that goes on. Destroyed: the connection is closed when what was written has left.
class HttpStream {
 public:
    virtual ~HttpStream() = default;
    /// False: the peer is gone, or so slow that it is dropped.
    virtual bool write(std::string_view bytes) = 0;
};

/// Where one request is answered, once. Dropped without an answer, it answers 500.
class HttpReply {
 public:
    virtual ~HttpReply() = default;
    virtual void send(HttpResponse response) = 0;
    /// Begins an answer that goes on until either side closes. `closed` runs when the peer goes,
    /// and not after the stream has been destroyed. Null when it is refused; answered then.
    virtual std::unique_ptr<HttpStream> stream(std::string_view content_type,
                                               std::function<void()> closed) = 0;
};
using HttpReplyPtr = std::shared_ptr<HttpReply>;

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;
using HttpLaterHandler = std::function<void(const HttpRequest&, const HttpReplyPtr&)>;

/// Exact paths win over prefixes, longer prefixes over shorter ones. HEAD is answered by the
/// handler of GET (the server leaves the body out). No match: 404; a match with other methods: 405
/// with Allow.
class Router {
 public:
    /// `path` alone.
    void exact(std::string method, std::string path, HttpHandler handler);
    void exact(std::string method, std::string path, HttpLaterHandler handler);
    /// Every path that begins with `prefix`; end it with '/'.
    void prefix(std::string method, std::string prefix, HttpHandler handler);
    void prefix(std::string method, std::string prefix, HttpLaterHandler handler);

    /// From now on a request needs `Authorization: Bearer <token>` (RFC 6750), else 401; the paths
    /// in `open` do not.
    void ask_token(std::string token, std::vector<std::string> open);

    /// Requests for which `guard` has an answer get that one and go no further; asked after the
    /// token.
    void guard_with(std::function<std::optional<HttpResponse>(const HttpRequest&)> guard);

    /// Never throws: what a handler throws becomes a 500. Errors below `/api/` are problem details
    /// (RFC 9457), others a sentence.
    void handle(const HttpRequest& request, const HttpReplyPtr& reply) const noexcept;
    /// "GET /metrics": all there is, prefixes with their '/' at the end.
    [[nodiscard]] std::vector<std::string> paths() const;

 private:
    struct Entry {
        std::string path;
        bool is_prefix;
        std::vector<std::pair<std::string, HttpLaterHandler>> methods;
    };
    void add(std::string method, std::string path, bool is_prefix, HttpLaterHandler handler);
    [[nodiscard]] const Entry* find(std::string_view path) const;
    void answer(const HttpRequest& request, const HttpReplyPtr& reply) const;
    [[nodiscard]] bool may_ask(const HttpRequest& request) const;

    std::vector<Entry> entries_;
    std::string token_;
    std::vector<std::string> open_;
    std::function<std::optional<HttpResponse>(const HttpRequest&)> guard_;
};

}  // namespace trestle
