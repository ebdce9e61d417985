#include "server/log_spdlog.h"

#include <spdlog/fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/utf8.h"

namespace trestle {

namespace {

using Buffer = spdlog::memory_buf_t;

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warn:
            return spdlog::level::warn;
        case LogLevel::error:
            break;
    }
    return spdlog::level::err;
}

std::string_view name_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::debug:
            return to_string(LogLevel::debug);
        case spdlog::level::info:
            return to_string(LogLevel::info);
        case spdlog::level::warn:
            return to_string(LogLevel::warn);
        default:
            return to_string(LogLevel::error);
    }
}

void append(Buffer& line, std::string_view text) {
    line.append(text.data(), text.data() + text.size());
}

/// A character that a terminal or a reader of lines takes for more than text.
struct Special {
    unsigned code = 0;
    size_t bytes = 0;  // 0: it is none
};

/// Whether a text begins with one: a control character (C0, DEL or C1), U+2028 or U+2029.
Special special_at(std::string_view text) {
    const auto byte = [&](size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    };
    if (byte(0) < 0x20 || byte(0) == 0x7f) return {byte(0), 1};
    if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return {byte(1), 2};
    const bool is_separator = byte(0) == 0xe2 && byte(1) == 0x80 && (byte(2) & 0xfe) == 0xa8;
    return is_separator ? Special{0x2000 + (byte(2) & 0x3f), 3} : Special{};
}

/// Special characters as \uNNNN, bytes that are not UTF-8 as \xNN, everything else as it is.
void append_text(Buffer& line, std::string_view text) {
    const bool is_utf8 = is_plain_utf8(text);
    while (!text.empty()) {
        const Special special = special_at(text);
        const auto byte = static_cast<unsigned char>(text[0]);
        if (special.bytes != 0) {
            fmt::format_to(std::back_inserter(line), "\\u{:04x}", special.code);
        } else if (byte >= 0x80 && !is_utf8) {
            fmt::format_to(std::back_inserter(line), "\\x{:02x}", byte);
        } else {
            line.push_back(text[0]);
        }
        text.remove_prefix(std::max<size_t>(special.bytes, 1));
    }
}

/// As a JSON string without its quotes; bytes that are not UTF-8 are replaced.
void append_json(Buffer& line, std::string_view text) {
    using json = nlohmann::json;
    const std::string quoted = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
    append_text(line, std::string_view(quoted).substr(1, quoted.size() - 2));
}

void append_time(Buffer& line, spdlog::log_clock::time_point time) {
    using std::chrono::floor;
    const auto second = floor<std::chrono::seconds>(time);
    const auto part = floor<std::chrono::milliseconds>(time - second);
    fmt::format_to(std::back_inserter(line), "{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                   fmt::gmtime(spdlog::log_clock::to_time_t(second)), part.count());
}

class TextFormatter final : public spdlog::formatter {
 public:
    void format(const spdlog::details::log_msg& message, Buffer& line) override {
        append_time(line, message.time);
        fmt::format_to(std::back_inserter(line), " {:<5} ", name_of(message.level));
        append_text(line, {message.logger_name.data(), message.logger_name.size()});
        append(line, "  ");
        append_text(line, {message.payload.data(), message.payload.size()});
        line.push_back('\n');
    }
    [[nodiscard]] std::unique_ptr<formatter> clone() const override {
        return std::make_unique<TextFormatter>();
    }
};

class JsonFormatter final : public spdlog::formatter {
 public:
    void format(const spdlog::details::log_msg& message, Buffer& line) override {
        append(line, R"({"time":")");
        append_time(line, message.time);
        append(line, R"(","level":")");
        append(line, name_of(message.level));
        append(line, R"(","component":")");
        append_json(line, {message.logger_name.data(), message.logger_name.size()});
        append(line, R"(","message":")");
        append_json(line, {message.payload.data(), message.payload.size()});
        append(line, "\"}\n");
    }
    [[nodiscard]] std::unique_ptr<formatter> clone() const override {
        return std::make_unique<JsonFormatter>();
    }
};

}  // namespace

SpdlogSink::SpdlogSink(LogFormat format, std::shared_ptr<spdlog::sinks::sink> out)
    : out_(std::move(out)) {
    out_->set_level(
        spdlog::level::trace);  // `LogSink::level` decides, before anything is formatted
    if (format == LogFormat::json) {
        out_->set_formatter(std::make_unique<JsonFormatter>());
    } else {
        out_->set_formatter(std::make_unique<TextFormatter>());
    }
}

SpdlogSink::~SpdlogSink() = default;

std::unique_ptr<SpdlogSink> SpdlogSink::to_stdout(LogFormat format) {
    return std::make_unique<SpdlogSink>(format, std::make_shared<spdlog::sinks::stdout_sink_mt>());
}

void SpdlogSink::write(LogLevel level, std::string_view component, std::string_view message) {
    out_->log(spdlog::details::log_msg({component.data(), component.size()}, to_spdlog(level),
                                       {message.data(), message.size()}));
    out_->flush();  // free for stdout, which spdlog flushes for each line anyway
}

}  // namespace trestle
