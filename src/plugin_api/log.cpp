#include "plugin_api/log.h"

#include <exception>

namespace trestle {

std::string_view to_string(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            break;
    }
    return "error";
}

std::optional<LogLevel> log_level_from(std::string_view word) noexcept {
    for (const LogLevel level :
         {LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
        if (word == to_string(level)) return level;
    }
    if (word == "warning") return LogLevel::warn;
    return std::nullopt;
}

void RepeatLimit::roll(Clock::time_point now) noexcept {
    // A clock that seems to step back (another thread read it earlier) stays in the running
    // interval.
    if (interval_start_ && now - *interval_start_ < interval_) return;
    interval_start_ = now;
    written_ = 0;
    owed_ += std::exchange(held_back_, 0);
}

RepeatLimit::Verdict RepeatLimit::admit(Clock::time_point now) noexcept {
    const std::lock_guard lock(mutex_);
    roll(now);
    if (written_ >= lines_) {
        ++held_back_;
        return {};
    }
    ++written_;
    return {true, std::exchange(owed_, 0)};
}

uint64_t RepeatLimit::take_held_back(Clock::time_point now) noexcept {
    const std::lock_guard lock(mutex_);
    if (held_back_ > 0) roll(now);
    return std::exchange(owed_, 0);
}

Log Log::named(std::string component) const {
    Log other = *this;
    other.component_ = std::move(component);
    return other;
}

void Log::write(LogLevel level, fmt::string_view format,
                fmt::format_args arguments) const noexcept {
    try {
        sink_->write(level, component_, fmt::vformat(format, arguments));
    } catch (const std::exception&) {
        // Out of memory or output gone: the program's work goes on without this line.
    }
}

bool Log::admitted(RepeatLimit& limit, RepeatLimit::Clock::time_point now, LogLevel level,
                   fmt::string_view about) const noexcept {
    const RepeatLimit::Verdict verdict = limit.admit(now);
    if (verdict.held_back > 0) tell(level, {about.data(), about.size()}, verdict.held_back);
    return verdict.write;
}

void Log::settle(RepeatLimit& limit, RepeatLimit::Clock::time_point now, LogLevel level,
                 std::string_view about) const {
    const uint64_t held_back = limit.take_held_back(now);
    if (held_back > 0 && enabled(level)) tell(level, about, held_back);
}

void Log::tell(LogLevel level, std::string_view about, uint64_t held_back) const noexcept {
    try {
        sink_->write(level, component_, fmt::format("\"{}\" repeated {} times", about, held_back));
    } catch (const std::exception&) {
        // As in `write`.
    }
}

}  // namespace trestle
