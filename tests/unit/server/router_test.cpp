// The token that the admin side asks for.
#include "server/router.h"

#include <gtest/gtest.h>

#include "kept_reply.h"

namespace trestle {
namespace {

using test::KeptReply;

class RouterToken : public ::testing::Test {
 protected:
    RouterToken() {
        for (const char* path : {"/metrics", "/healthz"}) {
            router_.exact("GET", path,
                          [](const HttpRequest&) { return HttpResponse::text(200, "here"); });
        }
        router_.ask_token("secret", {"/healthz"});
    }
    unsigned status(std::string_view path, std::string_view authorization) {
        HttpRequest request;
        request.method = "GET";
        request.path = path;
        if (!authorization.empty()) request.headers.emplace_back("authorization", authorization);
        const auto reply = std::make_shared<KeptReply>();
        router_.handle(request, reply);
        return reply->kept.status;
    }
    Router router_;
};

TEST_F(RouterToken, OpensWhatItShould) {
    EXPECT_EQ(status("/metrics", "Bearer secret"), 200u);
    EXPECT_EQ(status("/metrics", "bearer secret"), 200u) << "schemes have no case";
    EXPECT_EQ(status("/metrics", "BEARER secret"), 200u);
    EXPECT_EQ(status("/healthz", ""), 200u);
}

TEST_F(RouterToken, RefusesEverythingElse) {
    for (const char* wrong : {"", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secrets",
                              "Bearer Secret", "Basic secret"}) {
        EXPECT_EQ(status("/metrics", wrong), 401u) << wrong;
    }
    EXPECT_EQ(status("/no/such/path", ""), 401u);
    EXPECT_EQ(status("/healthz/more", ""), 401u);
}

}  // namespace
}  // namespace trestle
