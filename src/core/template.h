// The template language of routes, as text: literals and captures.
//
//   {x}  one level, not empty        {x?}  may be empty       {x:regex}  constrained (RE2)
//   {rest...}  the remaining levels  {{ and }}  braces
// On the ZeroMQ side also: {x|pct} percent-escaped, {rest...|/=.} with '.' for each '/', and in
// literals \0 \n \t \\.
//
// Used while the routing table is compiled; pure, any thread. Faults are sentences for the user.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trestle {

enum class TemplateSide : uint8_t { mqtt, zmq };

/// Limits that keep a rule small whatever the config holds.
inline constexpr size_t kMaxTemplateBytes = 4096;
inline constexpr size_t kMaxCaptures = 32;

/// One `{...}` as it was written.
struct TemplateCapture {
    std::string name;
    bool is_optional = false;
    bool is_rest = false;
    std::optional<std::string> constraint;
    bool is_escaped = false;
    std::optional<std::string> separator;
};

/// A literal, or a capture when there is one.
struct TemplatePart {
    std::string literal;
    std::optional<TemplateCapture> capture;
};

/// Parts in order; literals are never empty and never touch.
using Template = std::vector<TemplatePart>;

/// Empty when the text is not a template; then `faults` has grown.
[[nodiscard]] std::optional<Template> parse_template(TemplateSide side, std::string_view text,
                                                     std::vector<std::string>& faults);

/// For sentences: in single quotes, with bytes that do not print written as escapes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace trestle
