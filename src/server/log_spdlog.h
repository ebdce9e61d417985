// The program's log: `LogSink` over a spdlog sink, one line for each call, flushed at once.
//
//   text  2026-11-21T10:00:00.123Z info  devices  message
//   json  {"time":"2026-11-21T10:00:00.123Z","level":"info","component":"devices","message":"..."}
//
// The keys and their order are stable, times are UTC. Control characters, those of C1 among them,
// and the separators of lines that Unicode has are escaped (\u009b), bytes that are not UTF-8 as
// well (\x9b; in JSON replaced), so that no peer can forge a line by the name it chooses. Any
// thread may write; lines do not mix. A reader of stdout that stalls stalls the writing thread:
// that is what a pipe does.
#pragma once

#include <memory>
#include <string_view>

#include "plugin_api/log.h"

namespace spdlog::sinks {
class sink;
}

namespace trestle {

enum class LogFormat : uint8_t { text, json };

class SpdlogSink final : public LogSink {
 public:
    SpdlogSink(LogFormat format, std::shared_ptr<spdlog::sinks::sink> out);
    ~SpdlogSink() override;
    static std::unique_ptr<SpdlogSink> to_stdout(LogFormat format);

    void write(LogLevel level, std::string_view component, std::string_view message) override;

 private:
    std::shared_ptr<spdlog::sinks::sink> out_;
};

}  // namespace trestle
