// Answers as they go over the wire: status line, headers, and the words for what went wrong.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trestle {

struct HttpRequest;
struct HttpResponse;

enum class HttpEnd : unsigned char {
    by_length,  // the body has a Content-Length
    by_close,   // it goes on until the connection closes
};

/// Status line and headers, with the empty line that ends them.
std::string http_head(const HttpResponse& response, bool is_http_1_0, bool keep_alive,
                      HttpEnd end = HttpEnd::by_length);

/// "Not Found".
std::string_view http_reason(unsigned status);

/// An error as problem details (RFC 9457), `application/problem+json`. `detail` is a sentence.
HttpResponse http_problem(unsigned status, std::string_view detail);

/// The same in the form that belongs to the request's path: below `/api/` problem details, else one
/// plain sentence.
HttpResponse http_refusal(const HttpRequest& request, unsigned status, std::string_view sentence);

}  // namespace trestle
