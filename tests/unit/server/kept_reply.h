// Keeps the answer to a request that a test asks of a router itself.
#pragma once

#include "server/router.h"

namespace trestle::test {

struct KeptReply final : HttpReply {
    void send(HttpResponse response) override { kept = std::move(response); }
    std::unique_ptr<HttpStream> stream(std::string_view, std::function<void()>) override {
        return nullptr;
    }
    HttpResponse kept;
};

}  // namespace trestle::test
