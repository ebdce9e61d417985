// JSON text written by hand, for what is sent once per message. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace trestle::websocket::json {

/// Stands in a JSON string as it is; others are escaped.
constexpr bool is_plain(char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}
/// A JSON string, quotes included. `text` is UTF-8.
void append_string(std::string& out, std::string_view text);
/// The same for bytes: base64.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace trestle::websocket::json
