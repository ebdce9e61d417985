// Base64 with padding (RFC 4648 section 4). Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace trestle {

std::string encode_base64(std::string_view bytes);

/// Nothing when a character, the length or the padding is wrong, or unused bits are set.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace trestle
