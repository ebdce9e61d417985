// The small parts of the admin API: queries, pages over shards, figures, what of a config and of
// payloads is shown, and which pages may ask.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/properties.h"
#include "server/api/admin_guard.h"
#include "server/api/figures.h"
#include "server/api/message_json.h"
#include "server/api/query.h"
#include "server/api/shard_pages.h"
#include "server/config_shown.h"

namespace trestle {
namespace {

using nlohmann::json;

TEST(Query, DecodesAndChecks) {
    Query query("filter=a%2F%23+b&limit=7&deep=true&empty=");
    EXPECT_EQ(query.text("filter"), "a/# b");
    EXPECT_EQ(query.number("limit", 1, 10, 5), 7u);
    EXPECT_TRUE(query.flag("deep"));
    EXPECT_EQ(query.optional_text("empty"), "");
    EXPECT_EQ(query.optional_text("absent"), std::nullopt);
    EXPECT_EQ(query.number("other", 1, 10, 5), 5u);
    EXPECT_FALSE(query.fault());
}

TEST(Query, TellsTheFirstThingThatIsWrong) {
    const auto fault = [](std::string_view text, auto ask) {
        Query query(text);
        ask(query);
        const auto answer = query.fault();
        if (!answer) return std::string();
        EXPECT_EQ(answer->status, 400u);
        EXPECT_EQ(answer->content_type, "application/problem+json");
        return json::parse(answer->body)["detail"].get<std::string>();
    };
    const auto number = [](Query& q) { (void)q.number("n", 2, 9, 5); };
    EXPECT_EQ(fault("n=5", number), "");
    for (const char* wrong : {"n=1", "n=10", "n=", "n=5x", "n=-3", "n=99999999999999999999"}) {
        EXPECT_EQ(fault(wrong, number), "n: expected a number from 2 to 9.") << wrong;
    }
    EXPECT_EQ(fault("n=5&m=1", number), "There is no \"m\" in this query.");
    EXPECT_EQ(fault("n=5&n=5", number), "n: expected it once.");
    EXPECT_NE(fault("n=%zz", number), "");
    EXPECT_NE(fault("n=%ff", number), "") << "not UTF-8";
    EXPECT_EQ(fault("", [](Query& q) { (void)q.required_text("a"); }),
              "a: expected it in the query.");
    std::string many;
    for (int i = 0; i < 40; ++i) many += "k" + std::to_string(i) + "=1&";
    EXPECT_EQ(fault(many, number), "The query has too many values.");
}

// Copying or writing a value that is nested so deep would use up the stack.
TEST(Body, IsJsonOfFewLevels) {
    const auto nested = [](size_t levels) {
        return R"({"payload": )" + std::string(levels, '[') + std::string(levels, ']') + "}";
    };
    json body;
    ASSERT_TRUE(read_body(nested(63), body));
    std::string expected;
    EXPECT_EQ(payload_of(body, expected), std::string(63, '[') + std::string(63, ']'));
    EXPECT_FALSE(read_body(nested(64), body));
    EXPECT_FALSE(read_body(nested(30'000), body));
    EXPECT_FALSE(read_body("", body));
    EXPECT_FALSE(read_body(R"({"payload": "\xff"})", body));
    EXPECT_FALSE(read_body("{} {}", body));
}

struct Item {
    std::string key;
};

ShardPage<Item> part(const std::string& keys, std::optional<std::string> reached = {}) {
    ShardPage<Item> page;
    for (const char key : keys) page.items.push_back({std::string(1, key)});
    page.reached = std::move(reached);
    return page;
}

std::string text_of(const Page<Item>& page) {
    std::string text;
    for (const auto& item : page.items) text += item.key;
    return text + (page.next ? ">" + *page.next : "");
}

TEST(ShardPages, MergeInOrder) {
    EXPECT_EQ(text_of(merge_pages<Item>({part("ace"), part("bd"), part("")}, 10)), "abcde");
    EXPECT_EQ(text_of(merge_pages<Item>({part("ace"), part("bd")}, 3)), "abc>c");
}

TEST(ShardPages, GoNoFurtherThanTheShardThatHasGotLeastFar) {
    // The second has looked up to c only: it may have a d that belongs before e.
    EXPECT_EQ(text_of(merge_pages<Item>({part("aef", "f"), part("b", "c")}, 10)), "ab>c");
    EXPECT_EQ(text_of(merge_pages<Item>({part("", "x"), part("", "m")}, 10)), ">m")
        << "a page may be empty without being the last";
    EXPECT_EQ(text_of(merge_pages<Item>({part("abz"), part("cd", "d")}, 2)), "ab>b");
}

TEST(Figures, QuantilesAreUpperBounds) {
    const std::vector<double> bounds{0.001, 0.01, 0.1};
    EXPECT_EQ(quantile(bounds, {0, 0, 0, 0}, 0.5), -1);
    EXPECT_EQ(quantile(bounds, {50, 49, 1, 0}, 0.5), 0.001);
    EXPECT_EQ(quantile(bounds, {50, 49, 1, 0}, 0.99), 0.01);
    EXPECT_EQ(quantile(bounds, {50, 49, 1, 0}, 1), 0.1);
    EXPECT_EQ(quantile(bounds, {0, 0, 0, 9}, 0.5), 0.1) << "beyond all bounds";
}

TEST(ConfigShown, MasksSecrets) {
    const json root{
        {"admin", {{"token", "abc"}, {"listen", "http://127.0.0.1:1"}}},
        {"endpoints", {{"a", {{"users", {{"passwords", {"x", "y"}}}}, {"certificate", "pem"}}}}}};
    const ReplacedStrings replaced{{"endpoints.a.certificate", "${file:/run/cert}"}};
    const json shown = json::parse(config_shown(root, replaced));
    EXPECT_EQ(shown["admin"]["token"], "********");
    EXPECT_EQ(shown["admin"]["listen"], "http://127.0.0.1:1");
    EXPECT_EQ(shown["endpoints"]["a"]["users"]["passwords"], json({"********", "********"}));
    EXPECT_EQ(shown["endpoints"]["a"]["certificate"], "${file:/run/cert}");
}

TEST(MessageJson, ShowsTextAsTextAndBytesAsBase64) {
    const auto shown = [](std::string_view payload) {
        nlohmann::ordered_json out;
        put_payload(out, payload_shown(payload), payload.size());
        return out;
    };
    EXPECT_EQ(shown("21.5")["encoding"], "utf8");
    EXPECT_EQ(shown("\xff")["payload"], "/w==");
    std::string cut(kMostPayloadShown - 1, 'x');
    cut += "\xc3\xa9 and more";  // the limit lies within the character
    EXPECT_EQ(shown(cut)["encoding"], "utf8");
    EXPECT_EQ(shown(cut)["payload"].get<std::string>().size(), kMostPayloadShown - 1);
    EXPECT_EQ(shown(cut)["truncated"], true);
}

TEST(MessageJson, ShowsABeginningOfTheProperties) {
    std::string few;
    ApplicationPropertiesWriter writer(few);
    ASSERT_TRUE(writer.content_type("text/plain"));
    for (size_t i = 0; i < kMostUserPropertiesShown; ++i) {
        ASSERT_TRUE(writer.user_property("name", std::to_string(i)));
    }
    EXPECT_EQ(properties_shown(few), few);
    EXPECT_EQ(properties_shown(""), "");
    std::string more = few;
    ASSERT_TRUE(ApplicationPropertiesWriter(more).user_property("one", "more"));
    EXPECT_EQ(properties_shown(more), few);
    std::string large;
    ASSERT_TRUE(ApplicationPropertiesWriter(large).user_property("a", "b"));
    const std::string small = large;
    ASSERT_TRUE(ApplicationPropertiesWriter(large).user_property("c", std::string(60'000, 'x')));
    EXPECT_EQ(properties_shown(large), small);
    nlohmann::ordered_json out;
    put_properties(out, properties_shown(large), large.size());
    EXPECT_EQ(out, json::parse(R"({"properties": {"user": [["a", "b"]]},
                                   "properties_truncated": true})"));
    put_properties(out, small, small.size());
    EXPECT_EQ(out["properties_truncated"], false);
}

std::optional<HttpResponse> guarded(std::string_view host, std::string_view origin,
                                    bool names_matter, std::string_view path = "/api/v1/stats",
                                    std::string_view site = "") {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    if (!host.empty()) request.headers.emplace_back("Host", host);
    if (!origin.empty()) request.headers.emplace_back("Origin", origin);
    if (!site.empty()) request.headers.emplace_back("Sec-Fetch-Site", site);
    return refuse_foreign_page(request, names_matter);
}

TEST(AdminGuard, LetsThisMachineAsk) {
    for (const char* host : {"127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080",
                             "trestle.localhost:1", "10.1.2.3"}) {
        EXPECT_FALSE(guarded(host, "", true)) << host;
        EXPECT_FALSE(guarded(host, "http://" + std::string(host), true)) << host;
    }
}

TEST(AdminGuard, RefusesPagesFromElsewhere) {
    EXPECT_EQ(guarded("127.0.0.1:8080", "http://evil.example", true)->status, 403u);
    EXPECT_EQ(guarded("127.0.0.1:8080", "null", true)->status, 403u);
    EXPECT_EQ(guarded("127.0.0.1:8080", "http://127.0.0.1:8081", true)->status, 403u);
    EXPECT_EQ(guarded("evil.example:8080", "", true)->status, 403u) << "DNS rebinding";
    EXPECT_EQ(guarded("localhost.evil.example", "", true)->status, 403u);
    EXPECT_FALSE(guarded("gateway.example", "", false)) << "a token is asked for";
    EXPECT_EQ(guarded("[::1].evil.example", "", true)->status, 403u);
    EXPECT_EQ(guarded("[::1].evil.example:8080", "", true)->status, 403u);
    EXPECT_EQ(guarded("[::1", "", true)->status, 403u);
    EXPECT_EQ(guarded("evil.example", "", true, "/metrics")->status, 403u);
    EXPECT_FALSE(guarded("prometheus.example", "", false, "/metrics"));
    for (const char* open : {"/healthz", "/readyz", "/", "/app.js"}) {
        EXPECT_FALSE(guarded("evil.example", "", true, open)) << open;
    }
}

// An image or a script of another page brings no Origin.
TEST(AdminGuard, RefusesWhatPagesFromElsewhereEmbed) {
    for (const bool has_no_token : {true, false}) {
        const auto site = [&](std::string_view word, std::string_view path = "/api/v1/tail") {
            return guarded("127.0.0.1:8080", "", has_no_token, path, word);
        };
        EXPECT_EQ(site("cross-site")->status, 403u);
        EXPECT_EQ(site("same-site")->status, 403u) << "another port of this machine";
        EXPECT_FALSE(site("same-origin"));
        EXPECT_FALSE(site("none")) << "typed in by a person";
        EXPECT_FALSE(site("cross-site", "/healthz"));
        EXPECT_FALSE(site("cross-site", "/")) << "a link to the dashboard";
    }
}

}  // namespace
}  // namespace trestle
