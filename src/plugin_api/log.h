// Log lines for plugins and rooms, without naming a logging library.
//
// The server owns one `LogSink`; a `Log` is a handle to it with the name of the part that speaks
// ("devices", "routes"). Handles are cheap to copy and must not outlive the sink. Any thread may
// use either. A line that is not enabled costs one relaxed load: its arguments are not formatted.
// Logging never throws; a line that cannot be written is lost.
//
// Nothing is logged per message. Lines that peers can cause go through a `RepeatLimit`.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace trestle {

enum class LogLevel : uint8_t { debug, info, warn, error };

[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;
/// "debug", "info", "warn", "error"; nothing for other words.
[[nodiscard]] std::optional<LogLevel> log_level_from(std::string_view word) noexcept;

/// Where lines go.
class LogSink {
 public:
    LogSink() = default;
    virtual ~LogSink() = default;
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;

    /// Takes one line, from any thread, without a line end. Both texts may hold any bytes (peers
    /// choose names), so the sink escapes what its format cannot carry. May block as long as the
    /// output does.
    virtual void write(LogLevel level, std::string_view component, std::string_view message) = 0;

    [[nodiscard]] LogLevel level() const noexcept { return level_.load(std::memory_order_relaxed); }
    /// Takes effect at once, for all handles.
    void set_level(LogLevel level) noexcept { level_.store(level, std::memory_order_relaxed); }

 private:
    std::atomic<LogLevel> level_{LogLevel::info};
};

/// Holds back a line that repeats: at most `lines` in each `interval`, the rest is counted and told
/// in one line. One object for each place that logs (and each endpoint, if it should not drown
/// another).
class RepeatLimit {
 public:
    using Clock = std::chrono::steady_clock;
    RepeatLimit(uint32_t lines, Clock::duration interval) : lines_(lines), interval_(interval) {}

    struct Verdict {
        bool write = false;      // this line may be written
        uint64_t held_back = 0;  // lines of past intervals that were not; tell it first
    };
    [[nodiscard]] Verdict admit(Clock::time_point now) noexcept;
    /// Lines held back in an interval that has ended, when no further line came to tell it; call it
    /// from a timer. Each held-back line is reported once, by this or by `admit`.
    [[nodiscard]] uint64_t take_held_back(Clock::time_point now) noexcept;

 private:
    void roll(Clock::time_point now) noexcept;

    const uint32_t lines_;
    const Clock::duration interval_;
    std::mutex mutex_;
    std::optional<Clock::time_point> interval_start_;
    uint32_t written_ = 0;
    uint64_t held_back_ = 0;  // in the interval that runs
    uint64_t owed_ = 0;       // in intervals that have ended
};

/// A handle: the sink and a name.
class Log {
 public:
    /// Says nothing, to nobody.
    Log() = default;
    Log(LogSink& sink, std::string component) : sink_(&sink), component_(std::move(component)) {}

    [[nodiscard]] bool enabled(LogLevel level) const noexcept {
        return sink_ != nullptr && level >= sink_->level();
    }
    [[nodiscard]] const std::string& component() const noexcept { return component_; }
    /// The same sink under another name.
    [[nodiscard]] Log named(std::string component) const;

    template <class... A>
    void debug(fmt::format_string<A...> format, A&&... arguments) const {
        line(LogLevel::debug, format, std::forward<A>(arguments)...);
    }
    template <class... A>
    void info(fmt::format_string<A...> format, A&&... arguments) const {
        line(LogLevel::info, format, std::forward<A>(arguments)...);
    }
    template <class... A>
    void warn(fmt::format_string<A...> format, A&&... arguments) const {
        line(LogLevel::warn, format, std::forward<A>(arguments)...);
    }
    template <class... A>
    void error(fmt::format_string<A...> format, A&&... arguments) const {
        line(LogLevel::error, format, std::forward<A>(arguments)...);
    }
    template <class... A>
    void line(LogLevel level, fmt::format_string<A...> format, A&&... arguments) const {
        if (enabled(level)) write(level, format, fmt::make_format_args(arguments...));
    }
    /// A line that may repeat: "... repeated 123 times" comes before the first line of a new
    /// interval.
    template <class... A>
    void limited(RepeatLimit& limit, RepeatLimit::Clock::time_point now, LogLevel level,
                 fmt::format_string<A...> format, A&&... arguments) const {
        if (!enabled(level) || !admitted(limit, now, level, format)) return;
        write(level, format, fmt::make_format_args(arguments...));
    }
    /// Tells what `limit` holds back although no further line came; `about` names the line.
    void settle(RepeatLimit& limit, RepeatLimit::Clock::time_point now, LogLevel level,
                std::string_view about) const;

 private:
    void write(LogLevel level, fmt::string_view format, fmt::format_args arguments) const noexcept;
    bool admitted(RepeatLimit& limit, RepeatLimit::Clock::time_point now, LogLevel level,
                  fmt::string_view about) const noexcept;
    void tell(LogLevel level, std::string_view about, uint64_t held_back) const noexcept;

    LogSink* sink_ = nullptr;
    std::string component_;
};

}  // namespace trestle
