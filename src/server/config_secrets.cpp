#include "server/config_secrets.h"

#include <algorithm>
#include <array>

namespace trestle {

namespace {

constexpr std::array<std::string_view, 7> kSecretWords{
    "token", "password", "passwd", "passphrase", "secret", "credential", "private"};

}  // namespace

bool is_secret(std::string_view path) {
    constexpr std::string_view kNamed = "endpoints.";
    if (path.starts_with(kNamed)) {
        path.remove_prefix(kNamed.size());
        path.remove_prefix(std::min(path.find('.'), path.size()));
    }
    return std::ranges::any_of(kSecretWords, [&](std::string_view word) {
        return path.find(word) != std::string_view::npos;
    });
}

bool is_broken_json(std::string_view text) {
    const auto next = [&]() -> char {
        text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
        if (text.empty()) return '\0';
        const char c = text.front();
        text.remove_prefix(1);
        return c;
    };
    const char first = next();
    if (first == '[') {
        const char second = next();
        return second == '"' || second == '{' || second == '[';
    }
    return first == '{' && next() == '"';
}

bool names_a_file(std::string_view text) {
    return text.starts_with("${file:") && text.find('}') == text.size() - 1;
}

}  // namespace trestle
