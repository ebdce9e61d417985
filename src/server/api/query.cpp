#include "server/api/query.h"

#include <algorithm>
#include <charconv>

#include "core/utf8.h"
#include "server/http_answer.h"

namespace trestle {

namespace {

constexpr size_t kMostValues = 16;

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return std::nullopt;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool contains(std::string_view text, std::string_view part) {
    const auto same = [](char a, char b) { return lower(a) == lower(b); };
    return part.empty() ||
           std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
    std::string out;
    out.reserve(text.size());
    for (size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_blank) {
            out.push_back(' ');
        } else if (text[i] != '%') {
            out.push_back(text[i]);
        } else {
            const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
            const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
            if (!high || !low) return std::nullopt;
            out.push_back(static_cast<char>(*high * 16 + *low));
            i += 2;
        }
    }
    if (!is_plain_utf8(out)) return std::nullopt;
    return out;
}

Query::Query(std::string_view query) {
    while (!query.empty() && values_.size() < kMostValues) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (pair.empty()) continue;
        const size_t equals = pair.find('=');
        const auto key = percent_decoded(pair.substr(0, equals), true);
        const auto value =
            percent_decoded(equals == std::string_view::npos ? "" : pair.substr(equals + 1), true);
        if (!key || !value) {
            sentence_ = "The query is not percent-encoded UTF-8.";
        } else if (!values_.emplace(*key, *value).second) {
            refuse(*key, "it once");
        }
    }
    if (!query.empty()) sentence_ = "The query has too many values.";
    unasked_ = values_;
}

std::optional<std::string> Query::optional_text(std::string_view key) {
    const auto found = values_.find(key);
    if (found == values_.end()) return std::nullopt;
    unasked_.erase(found->first);
    return found->second;
}

std::string Query::text(std::string_view key) { return optional_text(key).value_or(""); }

std::string Query::required_text(std::string_view key) {
    auto given = optional_text(key);
    if (!given || given->empty()) refuse(key, "it in the query");
    return given.value_or("");
}

size_t Query::number(std::string_view key, size_t low, size_t high, size_t fallback) {
    const auto given = optional_text(key);
    if (!given) return fallback;
    size_t value = 0;
    const auto [end, failed] = std::from_chars(given->data(), given->data() + given->size(), value);
    if (failed == std::errc() && end == given->data() + given->size() && value >= low &&
        value <= high) {
        return value;
    }
    refuse(key, "a number from " + std::to_string(low) + " to " + std::to_string(high));
    return fallback;
}

bool Query::flag(std::string_view key) {
    const auto given = optional_text(key);
    if (!given || *given == "false") return false;
    if (*given != "true") refuse(key, "true or false");
    return true;
}

void Query::refuse(std::string_view key, std::string_view expected) {
    if (!sentence_.empty()) return;
    sentence_.append(key).append(": expected ").append(expected).append(".");
}

std::optional<HttpResponse> Query::fault() {
    if (sentence_.empty() && !unasked_.empty()) {
        sentence_ = "There is no \"" + unasked_.begin()->first + "\" in this query.";
    }
    if (sentence_.empty()) return std::nullopt;
    return http_problem(400, sentence_);
}

}  // namespace trestle
