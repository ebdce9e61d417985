#include "core/mapping_plan.h"

#include <algorithm>

namespace trestle {
namespace {

constexpr std::string_view kHex = "0123456789ABCDEF";

int hex_value(char c, bool is_strict) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (!is_strict && c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

}  // namespace

bool PlanCapture::admits(std::string_view value) const {
    if (value.empty()) return is_optional || is_rest;
    if (is_level && value.find('/') != std::string_view::npos) return false;
    if (starts_topic && value.front() == '$') return false;
    return std::all_of(constraints.begin(), constraints.end(), [&](const auto& constraint) {
        return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *constraint);
    });
}

bool PlanPiece::must_escape(char c) const {
    return c == '%' || (has_stop && c == stop) ||
           (has_separator && !separator.empty() && c == separator.front());
}

bool PlanPiece::can_hold(std::string_view value) const {
    if (is_escaped) return true;
    if (!has_separator) return !has_stop || value.find(stop) == std::string_view::npos;
    return std::none_of(value.begin(), value.end(), [&](char c) {
        if (c == '/') return false;
        return (has_stop && c == stop) || (!separator.empty() && c == separator.front());
    });
}

void PlanPiece::append_value(std::string_view value, std::string& out) const {
    size_t copied = 0;
    for (size_t i = 0; (is_escaped || has_separator) && i < value.size(); ++i) {
        const char c = value[i];
        const bool is_separator = has_separator && c == '/';
        if (!is_separator && !(is_escaped && must_escape(c))) continue;
        out += value.substr(copied, i - copied);
        copied = i + 1;
        if (is_separator) {
            out += separator;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        const char escape[3] = {'%', kHex[byte >> 4], kHex[byte & 15]};
        out.append(escape, sizeof escape);
    }
    out += value.substr(copied);
}

bool PlanPiece::append_escaped(std::string_view escape, bool is_strict, std::string& out) const {
    if (escape.size() < 3) return false;
    const int high = hex_value(escape[1], is_strict);
    const int low = hex_value(escape[2], is_strict);
    if (high < 0 || low < 0) return false;
    const char c = static_cast<char>(high * 16 + low);
    if (is_strict && (!must_escape(c) || (c == '/' && has_separator))) return false;
    out += c;
    return true;
}

bool PlanPiece::append_decoded(std::string_view written, bool is_strict, std::string& out) const {
    if (!is_escaped && !has_separator) {
        out += written;
        return true;
    }
    const bool replaces = has_separator && !separator.empty();
    size_t copied = 0;
    for (size_t i = 0; i < written.size();) {
        const char c = written[i];
        const bool starts_separator = replaces && c == separator.front();
        const bool starts_escape = is_escaped && c == '%';
        if (!starts_separator && !starts_escape && !(is_strict && replaces && c == '/')) {
            ++i;
            continue;
        }
        out += written.substr(copied, i - copied);
        copied = i;
        if (starts_separator && written.substr(i).starts_with(separator)) {
            out += '/';
            i += separator.size();
            copied = i;
        } else if (starts_escape) {
            if (!append_escaped(written.substr(i), is_strict, out)) return false;
            i += 3;
            copied = i;
        } else if (is_strict) {
            return false;  // a '/', or the start of a separator: never written by this rule
        } else {
            ++i;
        }
    }
    out += written.substr(copied);
    return true;
}

}  // namespace trestle
