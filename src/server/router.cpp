#include "server/router.h"

#include <algorithm>
#include <exception>

#include "server/http_answer.h"

namespace trestle {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_in_any_case(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

HttpLaterHandler at_once(HttpHandler handler) {
    return [handler = std::move(handler)](const HttpRequest& request, const HttpReplyPtr& reply) {
        reply->send(handler(request));
    };
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (equal_in_any_case(key, name)) return value;
    }
    return {};
}

HttpResponse HttpResponse::text(unsigned status, std::string_view sentence) {
    HttpResponse response;
    response.status = status;
    response.body.reserve(sentence.size() + 1);
    response.body.append(sentence).append("\n");
    return response;
}

void Router::exact(std::string method, std::string path, HttpHandler handler) {
    add(std::move(method), std::move(path), false, at_once(std::move(handler)));
}

void Router::exact(std::string method, std::string path, HttpLaterHandler handler) {
    add(std::move(method), std::move(path), false, std::move(handler));
}

void Router::prefix(std::string method, std::string prefix, HttpHandler handler) {
    add(std::move(method), std::move(prefix), true, at_once(std::move(handler)));
}

void Router::prefix(std::string method, std::string prefix, HttpLaterHandler handler) {
    add(std::move(method), std::move(prefix), true, std::move(handler));
}

void Router::add(std::string method, std::string path, bool is_prefix, HttpLaterHandler handler) {
    auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) {
        return e.path == path && e.is_prefix == is_prefix;
    });
    if (entry == entries_.end()) {
        entry = entries_.insert(entry, {std::move(path), is_prefix, {}});
    }
    entry->methods.emplace_back(std::move(method), std::move(handler));
}

const Router::Entry* Router::find(std::string_view path) const {
    const Entry* best = nullptr;
    for (const Entry& entry : entries_) {
        if (!entry.is_prefix && entry.path == path) return &entry;
        if (entry.is_prefix && path.starts_with(entry.path) &&
            (best == nullptr || entry.path.size() > best->path.size())) {
            best = &entry;
        }
    }
    return best;
}

void Router::ask_token(std::string token, std::vector<std::string> open) {
    token_ = std::move(token);
    open_ = std::move(open);
}

bool Router::may_ask(const HttpRequest& request) const {
    if (token_.empty() || std::ranges::count(open_, request.path) != 0) return true;
    constexpr std::string_view kScheme = "Bearer ";
    std::string_view given = request.header("Authorization");
    if (!equal_in_any_case(given.substr(0, kScheme.size()), kScheme)) return false;
    given.remove_prefix(kScheme.size());
    if (given.size() != token_.size()) return false;
    // Takes the same time wherever the difference is.
    unsigned difference = 0;
    for (size_t i = 0; i < given.size(); ++i) {
        difference |= static_cast<unsigned>(given[i] ^ token_[i]);
    }
    return difference == 0;
}

void Router::guard_with(std::function<std::optional<HttpResponse>(const HttpRequest&)> guard) {
    guard_ = std::move(guard);
}

std::vector<std::string> Router::paths() const {
    std::vector<std::string> all;
    for (const Entry& entry : entries_) {
        for (const auto& [method, handler] : entry.methods) {
            all.push_back(method);
            all.back().append(" ").append(entry.path);
        }
    }
    return all;
}

void Router::answer(const HttpRequest& request, const HttpReplyPtr& reply) const {
    if (!may_ask(request)) {
        auto refusal =
            http_refusal(request, 401, "This needs the token of the config: admin.token.");
        refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
        return reply->send(std::move(refusal));
    }
    if (guard_) {
        if (auto refusal = guard_(request)) return reply->send(std::move(*refusal));
    }
    const Entry* entry = find(request.path);
    if (entry == nullptr) {
        return reply->send(http_refusal(request, 404, "There is nothing at this path."));
    }
    const std::string_view wanted = request.method == "HEAD" ? "GET" : request.method;
    std::string allowed;
    for (const auto& [method, handler] : entry->methods) {
        if (method == wanted) return handler(request, reply);
        if (!allowed.empty()) allowed += ", ";
        allowed += method == "GET" ? "GET, HEAD" : method;
    }
    auto refusal = http_refusal(request, 405, "This path takes only " + allowed + ".");
    refusal.headers.emplace_back("Allow", allowed);
    reply->send(std::move(refusal));
}

void Router::handle(const HttpRequest& request, const HttpReplyPtr& reply) const noexcept {
    try {
        answer(request, reply);
    } catch (const std::exception& failure) {
        reply->send(
            http_refusal(request, 500, std::string("The server failed: ") + failure.what()));
    }
}

}  // namespace trestle
