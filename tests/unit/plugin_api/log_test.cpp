#include "plugin_api/log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>
#include <vector>

namespace trestle {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class Lines : public LogSink {
 public:
    void write(LogLevel level, std::string_view component, std::string_view message) override {
        const std::lock_guard lock(mutex_);
        lines.push_back(fmt::format("{} {}: {}", to_string(level), component, message));
    }
    std::vector<std::string> lines;

 private:
    std::mutex mutex_;
};

/// Says when it is formatted.
struct Tattler {
    int* formatted;
};

}  // namespace
}  // namespace trestle

template <>
struct fmt::formatter<trestle::Tattler> : fmt::formatter<int> {
    auto format(const trestle::Tattler& t, fmt::format_context& context) const {
        return fmt::formatter<int>::format(++*t.formatted, context);
    }
};

namespace trestle {
namespace {

const RepeatLimit::Clock::time_point kStart{seconds(1000)};

TEST(Log, FormatsWithComponentAndLevel) {
    Lines sink;
    sink.set_level(LogLevel::debug);
    const Log log(sink, "devices");
    log.debug("d {}", 1);
    log.info("i {:>3}", "x");
    log.warn("w");
    log.named("routes").error("e {} {}", std::string("s"), 2.5);
    EXPECT_THAT(sink.lines, ElementsAre("debug devices: d 1", "info devices: i   x",
                                        "warn devices: w", "error routes: e s 2.5"));
}

TEST(Log, FormatsOnlyWhatIsEnabledAndFollowsTheLevelAtOnce) {
    Lines sink;
    const Log log(sink, "c");
    int formatted = 0;
    log.debug("{}", Tattler{&formatted});
    EXPECT_EQ(formatted, 0);
    EXPECT_FALSE(log.enabled(LogLevel::debug));
    sink.set_level(LogLevel::debug);
    log.debug("{}", Tattler{&formatted});
    EXPECT_EQ(formatted, 1);
    sink.set_level(LogLevel::error);
    log.warn("{}", Tattler{&formatted});
    EXPECT_EQ(formatted, 1);
    EXPECT_THAT(sink.lines, ElementsAre("debug c: 1"));
}

TEST(Log, AHandleWithoutASinkIsSilent) {
    const Log log;
    EXPECT_FALSE(log.enabled(LogLevel::error));
    log.error("{}", 1);
    RepeatLimit limit(1, seconds(1));
    log.settle(limit, kStart, LogLevel::error, "x");
}

TEST(Log, ASinkThatThrowsDoesNotReachTheCaller) {
    class Broken : public LogSink {
     public:
        void write(LogLevel, std::string_view, std::string_view) override {
            ++calls;
            throw std::runtime_error("disk full");
        }
        int calls = 0;
    } sink;
    Log(sink, "c").error("x");
    EXPECT_EQ(sink.calls, 1);
}

TEST(Log, LevelsHaveNames) {
    EXPECT_EQ(log_level_from("warn"), LogLevel::warn);
    EXPECT_EQ(log_level_from("debug"), LogLevel::debug);
    EXPECT_EQ(log_level_from("warning"), LogLevel::warn);
    EXPECT_EQ(log_level_from("trace"), std::nullopt);
    EXPECT_EQ(log_level_from(""), std::nullopt);
}

TEST(RepeatLimit, LinesBeyondTheLimitAreCountedAndToldOnce) {
    Lines sink;
    const Log log(sink, "c");
    RepeatLimit limit(2, seconds(10));
    for (int i = 0; i < 125; ++i) {
        log.limited(limit, kStart + milliseconds(i), LogLevel::warn, "bad packet {}", i);
    }
    EXPECT_THAT(sink.lines, ElementsAre("warn c: bad packet 0", "warn c: bad packet 1"));
    sink.lines.clear();
    log.limited(limit, kStart + seconds(10), LogLevel::warn, "bad packet {}", 200);
    log.limited(limit, kStart + seconds(11), LogLevel::warn, "bad packet {}", 201);
    EXPECT_THAT(sink.lines, ElementsAre("warn c: \"bad packet {}\" repeated 123 times",
                                        "warn c: bad packet 200", "warn c: bad packet 201"));
}

TEST(RepeatLimit, SettleTellsWhenNoFurtherLineCame) {
    Lines sink;
    const Log log(sink, "c");
    RepeatLimit limit(1, seconds(10));
    for (int i = 0; i < 4; ++i) log.limited(limit, kStart, LogLevel::warn, "bad");
    sink.lines.clear();
    log.settle(limit, kStart + seconds(9), LogLevel::warn, "bad packets");
    EXPECT_TRUE(sink.lines.empty()) << "the interval still runs";
    log.settle(limit, kStart + seconds(10), LogLevel::warn, "bad packets");
    log.settle(limit, kStart + seconds(30), LogLevel::warn, "bad packets");
    EXPECT_THAT(sink.lines, ElementsAre("warn c: \"bad packets\" repeated 3 times"));
}

TEST(RepeatLimit, LinesThatAreNotEnabledUseNothingUp) {
    Lines sink;
    const Log log(sink, "c");
    RepeatLimit limit(1, seconds(10));
    for (int i = 0; i < 4; ++i) log.limited(limit, kStart, LogLevel::debug, "x");
    log.limited(limit, kStart, LogLevel::info, "y");
    EXPECT_THAT(sink.lines, ElementsAre("info c: y"));
}

TEST(RepeatLimit, AnEarlierTimeStaysInTheRunningInterval) {
    RepeatLimit limit(1, seconds(10));
    EXPECT_TRUE(limit.admit(kStart).write);
    EXPECT_FALSE(limit.admit(kStart - seconds(60)).write);
    EXPECT_FALSE(limit.admit(kStart + seconds(5)).write);
    const auto verdict = limit.admit(kStart + seconds(10));
    EXPECT_TRUE(verdict.write);
    EXPECT_EQ(verdict.held_back, 2u);
}

TEST(RepeatLimit, EveryLineFromManyThreadsIsWrittenOrCounted) {
    constexpr int kThreads = 4;
    constexpr int kEach = 5000;
    RepeatLimit limit(10, milliseconds(100));
    std::atomic<uint64_t> written{0}, told{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < kEach; ++i) {
                const auto verdict = limit.admit(kStart + milliseconds(i / 10));
                written += verdict.write ? 1 : 0;
                told += verdict.held_back;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    told += limit.take_held_back(kStart + seconds(100));
    EXPECT_EQ(written + told, static_cast<uint64_t>(kThreads) * kEach);
    EXPECT_LT(written, 200u);
}

}  // namespace
}  // namespace trestle
