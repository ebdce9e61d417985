// Messages as the API writes and reads them: payloads as text where they are text, in base64
// otherwise. Pure; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace trestle {

/// Bytes of a payload that a list or the tail shows; `size` tells how many there are.
inline constexpr size_t kMostPayloadShown = 2048;

/// Sets `payload`, `encoding` ("utf8" or "base64"), `size` and `truncated`. `payload` may be a
/// beginning only.
void put_payload(nlohmann::ordered_json& out, std::string_view payload, size_t size);

/// As much of a payload as is shown: whole characters when it is text.
std::string_view payload_shown(std::string_view payload);

/// Properties in wire form, as much of them as a list or the tail shows. A publisher may send
/// millions of them: each becomes a value of its own.
inline constexpr size_t kMostPropertyBytesShown = 4096;
inline constexpr size_t kMostUserPropertiesShown = 32;
std::string_view properties_shown(std::string_view properties);

/// Sets `properties`, an object with `content_type`, `response_topic`, `correlation_data` (base64),
/// `payload_format`, `user` (a list of pairs), and `properties_truncated`. `shown` may be a
/// beginning only of what has `size` bytes in wire form.
void put_properties(nlohmann::ordered_json& out, std::string_view shown, size_t size);

/// The body of a request. False: not JSON, or of more levels than anybody needs: what is nested by
/// the thousand would use up the stack of whoever copies or writes it.
bool read_body(std::string_view text, nlohmann::json& body);

/// The payload of `{"payload": ..., "encoding": "utf8" | "base64" | "json"}`; without `encoding` a
/// string is itself, and any other value is JSON. Nothing, and what was expected, when it is wrong.
std::optional<std::string> payload_of(const nlohmann::json& body, std::string& expected);

}  // namespace trestle
