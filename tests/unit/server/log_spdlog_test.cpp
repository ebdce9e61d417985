#include "server/log_spdlog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace trestle {
namespace {

using testing::MatchesRegex;

struct Captured {
    std::ostringstream out;
    SpdlogSink sink;
    explicit Captured(LogFormat format)
        : sink(format, std::make_shared<spdlog::sinks::ostream_sink_mt>(out)) {}
};

const char* const kTime =
    "20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]"
    "[.][0-9][0-9][0-9]Z";

TEST(SpdlogSink, TextLinesHaveTimeLevelComponentMessage) {
    Captured captured(LogFormat::text);
    const Log log(captured.sink, "devices");
    log.info("listening on {}", "mqtt://127.0.0.1:1883");
    log.error("no \"quotes\" \\ are changed: grün");
    log.debug("not enabled");
    EXPECT_THAT(
        captured.out.str(),
        MatchesRegex(std::string(kTime) + " info  devices  listening on mqtt://127.0.0.1:1883\n" +
                     kTime + " error devices  no \"quotes\" \\\\ are changed: grün\n"));
}

TEST(SpdlogSink, TextCannotBeForgedByControlBytes) {
    Captured captured(LogFormat::text);
    Log(captured.sink, "dev\nices").warn("client {}", std::string_view("a\r\nb\x1b[31m\0\x7f", 11));
    const std::string line = captured.out.str();
    EXPECT_THAT(line,
                testing::EndsWith(
                    " warn  dev\\u000aices  client a\\u000d\\u000ab\\u001b[31m\\u0000\\u007f\n"));
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

// A terminal obeys C1 as it obeys ESC; some readers end lines at U+0085, U+2028 and U+2029.
TEST(SpdlogSink, NorByThoseBeyondAscii) {
    const std::string name = "a\u0085b\u009b31m\u2028\u2029\u00a0\u2027é";
    Captured text(LogFormat::text);
    Log(text.sink, "c").info("{}", name);
    EXPECT_THAT(text.out.str(),
                testing::EndsWith("  a\\u0085b\\u009b31m\\u2028\\u2029\u00a0\u2027é\n"));
    Captured json(LogFormat::json);
    Log(json.sink, "c").info("{}\x7f", name);
    const std::string line = json.out.str();
    EXPECT_THAT(line, testing::HasSubstr("a\\u0085b\\u009b31m\\u2028\\u2029\u00a0\u2027é\\u007f"));
    EXPECT_EQ(nlohmann::json::parse(line)["message"], name + "\x7f");
    Captured bytes(LogFormat::text);
    Log(bytes.sink, "c").info("key {}31m", "\x9b");
    EXPECT_THAT(bytes.out.str(), testing::EndsWith("  key \\x9b31m\n"));
}

TEST(SpdlogSink, JsonLinesHaveStableKeysInOrder) {
    Captured captured(LogFormat::json);
    Log(captured.sink, "routes").warn("say \"{}\"\n{}", "x\\y", std::string_view("\xff\0", 2));
    const std::string line = captured.out.str();
    EXPECT_THAT(line,
                MatchesRegex("[{]\"time\":\"" + std::string(kTime) +
                             "\",\"level\":\"warn\",\"component\":\"routes\",\"message\":.*[}]\n"));
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    const auto parsed = nlohmann::json::parse(line);
    EXPECT_EQ(parsed.size(), 4u);
    EXPECT_EQ(parsed["message"], std::string("say \"x\\y\"\n\xef\xbf\xbd\0", 14));
}

TEST(SpdlogSink, TheLevelChangesWhileRunning) {
    Captured captured(LogFormat::json);
    const Log log(captured.sink, "c");
    captured.sink.set_level(LogLevel::error);
    log.warn("hidden");
    captured.sink.set_level(LogLevel::debug);
    log.debug("shown");
    EXPECT_EQ(nlohmann::json::parse(captured.out.str())["message"], "shown");
}

TEST(SpdlogSink, LinesOfManyThreadsDoNotMix) {
    Captured captured(LogFormat::json);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            const Log log(captured.sink, std::to_string(t));
            for (int i = 0; i < 250; ++i)
                log.info("{}", std::string(200, static_cast<char>('a' + t)));
        });
    }
    for (auto& thread : threads) thread.join();
    std::istringstream lines(captured.out.str());
    size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const auto parsed = nlohmann::json::parse(line);
        const int t = std::stoi(parsed["component"].get<std::string>());
        EXPECT_EQ(parsed["message"], std::string(200, static_cast<char>('a' + t)));
    }
    EXPECT_EQ(count, 1000u);
}

TEST(SpdlogSink, StdoutIsFlushedForEachLine) {
    testing::internal::CaptureStdout();
    const auto sink = SpdlogSink::to_stdout(LogFormat::text);
    Log(*sink, "c").info("out");
    EXPECT_THAT(testing::internal::GetCapturedStdout(), testing::EndsWith(" info  c  out\n"));
}

}  // namespace
}  // namespace trestle
