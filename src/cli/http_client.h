// One GET to a running server, for commands that ask it. Blocks, for at most the timeout; main
// thread.
#pragma once

#include <chrono>
#include <string>

#include "plugin_api/uri.h"

namespace trestle {

struct HttpAnswer {
    std::string problem;  // why there is none; empty when there is one
    std::string status;   // "HTTP/1.1 200 OK"
    std::string body;

    [[nodiscard]] bool is_ok() const {
        return status.starts_with("HTTP/1.1 200") || status.starts_with("HTTP/1.0 200");
    }
};

/// `token` may be empty. An answer of more than 64 MiB is cut off.
HttpAnswer http_get(const Uri& server, const std::string& path, const std::string& token,
                    std::chrono::milliseconds timeout);

}  // namespace trestle
