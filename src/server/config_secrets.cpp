#include "server/config_secrets.h"

#include <algorithm>
#include <array>

namespace trestle {

namespace {

constexpr std::array<std::string_view, 7> kSecretWords{
    "token", "password", "passwd", "passphrase", "secret", "credential", "private"};

}  // namespace

bool is_secret(std::string_view key_or_path) {
    return std::ranges::any_of(kSecretWords, [&](std::string_view word) {
        return key_or_path.find(word) != std::string_view::npos;
    });
}

bool names_a_file(std::string_view text) {
    return text.starts_with("${file:") && text.find('}') == text.size() - 1;
}

}  // namespace trestle
