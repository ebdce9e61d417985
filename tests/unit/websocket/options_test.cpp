#include "websocket/options.h"

#include <gtest/gtest.h>

namespace trestle::websocket {
namespace {

class Faults final : public FaultSink {
 public:
    void fault(std::string_view path, std::string message) override {
        all.push_back(std::string(path) + ": " + message);
    }
    void warning(std::string_view path, std::string message) override {
        all.push_back(std::string(path) + ": " + message);
    }
    std::vector<std::string> all;
};

Settings settings() {
    Settings out = Settings::defaults(describe_options());
    out.set("listen", std::vector<std::string>{"ws://127.0.0.1:8083", "ws://[::1]/mqtt"}, true);
    return out;
}

TEST(Options, GoodOnesAreRead) {
    Settings given = settings();
    given.set("allowed_origins", std::vector<std::string>{"https://A.example", "null"}, true);
    given.set("path", std::string("/x"), true);
    Faults faults;
    check_options(given, faults);
    EXPECT_TRUE(faults.all.empty()) << faults.all.front();
    const auto options = WebSocketOptions::from(given);
    ASSERT_EQ(options.listen.size(), 2u);
    EXPECT_EQ(options.listen[0].port, 8083);
    EXPECT_EQ(options.listen[1].path, "/mqtt");
    EXPECT_EQ(options.listen[1].port, 80);
    EXPECT_EQ(options.path, "/x");
    EXPECT_EQ(options.allowed_origins.front(), "https://a.example");
    EXPECT_EQ(options.handshake_timeout_ms, 10'000u);
}

TEST(Options, EveryFaultHasItsPlace) {
    Settings given = settings();
    given.set("listen", std::vector<std::string>{"mqtt://127.0.0.1:1", "wss://127.0.0.1:1", "8083"},
              true);
    given.set("allowed_origins", std::vector<std::string>{"example.org", "https://x/y"}, true);
    given.set("path", std::string("mqtt"), true);
    Faults faults;
    check_options(given, faults);
    ASSERT_EQ(faults.all.size(), 6u);
    EXPECT_TRUE(faults.all[0].starts_with("listen[0]: ")) << faults.all[0];
    EXPECT_TRUE(faults.all[1].starts_with("listen[1]: ")) << faults.all[1];
    EXPECT_TRUE(faults.all[2].starts_with("listen[2]: ")) << faults.all[2];
    EXPECT_TRUE(faults.all[3].starts_with("allowed_origins[0]: ")) << faults.all[3];
    EXPECT_TRUE(faults.all[4].starts_with("allowed_origins[1]: ")) << faults.all[4];
    EXPECT_TRUE(faults.all[5].starts_with("path: ")) << faults.all[5];
}

}  // namespace
}  // namespace trestle::websocket
