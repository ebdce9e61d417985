#include "websocket/json/tokens.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "websocket/json/text.h"

namespace trestle::websocket::json {

namespace {

constexpr std::string_view kDigits = "0123456789";

size_t count_digits(std::string_view text) {
    return std::min(text.find_first_not_of(kDigits), text.size());
}

/// The four digits of \uXXXX.
std::optional<uint32_t> code_unit(std::string_view text) {
    if (text.size() < 4) return {};
    uint32_t unit = 0;
    const char* end = text.data() + 4;
    if (std::from_chars(text.data(), end, unit, 16).ptr != end) return {};
    return unit;
}

bool is_high_surrogate(uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low_surrogate(uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

void append_utf8(std::string& out, uint32_t point) {
    const auto tail = [point](int shift) {
        return static_cast<char>(0x80 | (point >> shift & 0x3F));
    };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += {static_cast<char>(0xC0 | point >> 6), tail(0)};
    } else if (point < 0x10000) {
        out += {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
    } else {
        out += {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
    }
}

}  // namespace

Token TokenReader::next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\r"), rest_.size()));
    if (rest_.empty()) return Token::end;
    switch (rest_.front()) {
        case '{':
            return take(1, Token::open_object);
        case '}':
            return take(1, Token::close_object);
        case '[':
            return take(1, Token::open_array);
        case ']':
            return take(1, Token::close_array);
        case ':':
            return take(1, Token::colon);
        case ',':
            return take(1, Token::comma);
        case '"':
            return string();
        case 't':
            return word("true", Token::boolean);
        case 'f':
            return word("false", Token::boolean);
        case 'n':
            return word("null", Token::null);
        default:
            return number();
    }
}

Token TokenReader::take(size_t size, Token token) {
    written_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return token;
}

Token TokenReader::word(std::string_view all, Token token) {
    return rest_.starts_with(all) ? take(all.size(), token) : Token::malformed;
}

Token TokenReader::number() {
    size_t size = rest_.front() == '-' ? 1 : 0;
    // Nothing follows a leading zero: the next token would be another number.
    const size_t whole = rest_.substr(size).starts_with('0') ? 1 : count_digits(rest_.substr(size));
    if (whole == 0) return Token::malformed;
    size += whole;
    if (rest_.substr(size).starts_with('.')) {
        const size_t fraction = count_digits(rest_.substr(size + 1));
        if (fraction == 0) return Token::malformed;
        size += 1 + fraction;
    }
    if (rest_.substr(size).starts_with('e') || rest_.substr(size).starts_with('E')) {
        ++size;
        if (rest_.substr(size).starts_with('+') || rest_.substr(size).starts_with('-')) ++size;
        const size_t exponent = count_digits(rest_.substr(size));
        if (exponent == 0) return Token::malformed;
        size += exponent;
    }
    return take(size, Token::number);
}

Token TokenReader::string() {
    const std::string_view from = rest_;
    meant_.clear();
    rest_.remove_prefix(1);
    for (;;) {
        const auto plain =
            static_cast<size_t>(std::ranges::find_if_not(rest_, is_plain) - rest_.begin());
        meant_.append(rest_, 0, plain);
        rest_.remove_prefix(plain);
        if (rest_.empty()) return Token::malformed;
        const char stop = rest_.front();
        rest_.remove_prefix(1);
        if (stop == '"') break;
        if (stop != '\\' || !escape()) return Token::malformed;
    }
    written_ = from.substr(0, from.size() - rest_.size());
    return Token::string;
}

/// What stands behind a backslash.
bool TokenReader::escape() {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (rest_.empty()) return false;
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    if (letter == 'u') return unicode_escape();
    const size_t place = kLetters.find(letter);
    if (place == kLetters.npos) return false;
    meant_ += kMeant[place];
    return true;
}

bool TokenReader::unicode_escape() {
    const auto unit = code_unit(rest_);
    if (!unit || is_low_surrogate(*unit)) return false;
    rest_.remove_prefix(4);
    if (!is_high_surrogate(*unit)) {
        append_utf8(meant_, *unit);
        return true;
    }
    if (!rest_.starts_with("\\u")) return false;
    const auto low = code_unit(rest_.substr(2));
    if (!low || !is_low_surrogate(*low)) return false;
    rest_.remove_prefix(6);
    append_utf8(meant_, 0x10000 + ((*unit & 0x3FF) << 10 | (*low & 0x3FF)));
    return true;
}

}  // namespace trestle::websocket::json
