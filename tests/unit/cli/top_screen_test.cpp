#include "cli/top_screen.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace trestle {
namespace {

using nlohmann::json;

json stats(int64_t ms, int received, int sent, int dropped, const json& waits) {
    return {{"steady_ms", ms},
            {"version", "1.2.3"},
            {"event_loop_lag_s", 0.0015},
            {"sessions", {{"connected", 12345}, {"disconnected", 2}}},
            {"subscriptions", 7},
            {"retained_messages", 3},
            {"retained_bytes", 2048},
            {"wait_bounds_s", {0.001, 0.5, 2}},
            {"endpoints",
             {{"devices",
               {{"received", received},
                {"sent", sent},
                {"peers", 4},
                {"in_flight", 1},
                {"queue_messages", 5},
                {"not_ready", ""},
                {"dropped", {{"queue_full", dropped}}}}}}},
            {"routes",
             {{"a-route-with-a-name-that-is-long",
               {{"received", 0},
                {"sent", sent},
                {"acked", 0},
                {"refused", 0},
                {"dropped", dropped},
                {"queue_messages", 1500},
                {"queue_bytes", 3 << 20},
                {"waits", waits}}}}}};
}

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    return text;
}

TEST(TopScreen, ShowsWhatChangedPerSecond) {
    const std::string text = joined(top_screen(stats(1000, 100, 0, 0, {5, 0, 0, 0}),
                                               stats(3000, 2'100, 200'000, 8, {5, 99, 1, 0})));
    EXPECT_NE(text.find("trestle 1.2.3   in 1,000/s   out 100.0k/s   loop lag 1.5 ms"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("12.3k clients, 2 away   7 subscriptions   3 retained (2.0 KiB)"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("devices              ready            4   1,000  100.0k         1"
                        "         5      4.0"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("a-route-with-a-name~       0  100.0k       0     1,500    3.0 MiB"
                        "         0      4.0  <500 ms"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("drops/s: queue_full 4.0"), std::string::npos) << text;
}

TEST(TopScreen, SurvivesAServerThatWasStartedAnew) {
    const std::string text = joined(top_screen(stats(9'000, 5'000, 5'000, 5, {9, 9, 9, 9}),
                                               stats(10'000, 1, 1, 1, {0, 0, 0, 0})));
    EXPECT_NE(text.find("in 0/s   out 0/s"), std::string::npos) << text;
    EXPECT_NE(text.find("no drops"), std::string::npos) << text;
}

}  // namespace
}  // namespace trestle
