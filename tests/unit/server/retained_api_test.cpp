// Retained messages over the API: answers that are bounded, and cursors that get to the end.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/hub.h"
#include "kept_reply.h"
#include "running_host.h"

namespace trestle {
namespace {

using nlohmann::json;

class RetainedApi : public testing::Test {
 protected:
    RetainedApi() { add_retained_api(router_, host_); }

    void keep(std::string_view topic, std::string_view properties = {}) {
        MessageView message;
        message.topic = topic;
        message.payload = "x";
        message.properties = properties;
        host_.gateway()->hub().retained().keep(Message::copy_of(message), 0);
    }
    json ask(std::string_view method, std::string_view path, std::string query) {
        HttpRequest request;
        request.method = method;
        request.path = path;
        request.query = query;
        const auto reply = std::make_shared<test::KeptReply>();
        router_.handle(request, reply);
        EXPECT_EQ(reply->kept.status, 200u) << reply->kept.body;
        largest_ = std::max(largest_, reply->kept.body.size());
        return json::parse(reply->kept.body);
    }
    /// All answers, each asked for with the cursor of the one before.
    std::vector<json> ask_all(std::string_view method, std::string_view path,
                              const std::string& query) {
        std::vector<json> answers{ask(method, path, query)};
        while (!answers.back()["next"].is_null() && answers.size() < 100) {
            const auto after = answers.back()["next"].get<std::string>();
            answers.push_back(ask(method, path, query + "&after=" + after));
        }
        return answers;
    }

    test::RunningHost host_;
    Router router_;
    size_t largest_ = 0;  // answer
};

TEST_F(RetainedApi, DeletingGetsToTheEndThoughMostTopicsAreOthers) {
    for (int i = 0; i < 40'000; ++i) keep("a/" + std::to_string(100'000 + i) + "/y");
    keep("a/z/x");
    size_t deleted = 0;
    for (const auto& answer : ask_all("DELETE", "/api/v1/retained", "filter=a/%2B/x")) {
        deleted += answer["deleted"].get<size_t>();
    }
    EXPECT_EQ(deleted, 1u);
    EXPECT_EQ(host_.gateway()->hub().retained().messages(), 40'000u);
}

TEST_F(RetainedApi, PagesAreBoundedByBytes) {
    constexpr size_t kMany = 90;
    for (size_t i = 0; i < kMany; ++i) {
        keep("a/" + std::to_string(100 + i) + std::string(60'000, 'x'));
    }
    size_t shown = 0;
    for (const auto& page : ask_all("GET", "/api/v1/retained", "filter=a/%23&limit=1000")) {
        shown += page["items"].size();
    }
    EXPECT_EQ(shown, kMany);
    size_t levels = 0;
    for (const auto& page : ask_all("GET", "/api/v1/topics", "below=a&limit=1000")) {
        levels += page["items"].size();
    }
    EXPECT_EQ(levels, kMany);
    EXPECT_LT(largest_, 4u << 20);
}

TEST_F(RetainedApi, PropertiesAreCutHoweverManyThereAre) {
    std::string properties;
    for (int i = 0; i < 200'000; ++i) properties.append("\x26\0\0\0\0", 5);
    for (int i = 0; i < 20; ++i) keep("a/" + std::to_string(i), properties);
    const json page = ask("GET", "/api/v1/retained", "filter=a/%23");
    ASSERT_EQ(page["items"].size(), 20u);
    EXPECT_EQ(page["items"][0]["properties"]["user"].size(), 32u);
    EXPECT_EQ(page["items"][0]["properties_truncated"], true);
    ask("GET", "/api/v1/topics", "below=a");
    EXPECT_LT(largest_, 64u << 10);
}

}  // namespace
}  // namespace trestle
