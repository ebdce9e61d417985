// What a client asks for: one JSON text, read and checked. Pure functions, any thread; what is
// wrong is a value: a code and a sentence for the client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trestle::websocket::json {

/// The codes of errors, as clients see them and as label `reason` of their counter.
enum class Code : uint8_t {
    none,
    not_json,
    binary_frame,
    unknown_op,
    bad_request,
    topic_invalid,
    filter_invalid,
    payload_invalid,
    qos_not_supported,
    not_authorized,
    unknown_delivery,
    quota_exceeded,
    queue_full,
    given_up,
    no_subscriber,
    timed_out,
    dead_lettered,
};
inline constexpr size_t kCodes = 17;
std::string_view to_string(Code code);
/// What was sent is no good operation, whatever the server's state: such errors are limited.
constexpr bool is_breach(Code code) { return code != Code::none && code <= Code::payload_invalid; }

struct Fault {
    Code code = Code::none;
    std::string sentence;
    explicit operator bool() const { return code != Code::none; }
};

enum class Op : uint8_t { subscribe, unsubscribe, publish, request, ping, ack };

struct Operation {
    Op op = Op::ping;
    std::string id;          ///< JSON text: a string or a number; empty: none was given
    std::string topic;       ///< or filter
    std::string payload;     ///< bytes
    std::string properties;  ///< in wire form (core/properties.h)
    std::optional<uint32_t> expiry_s;
    std::optional<uint64_t> timeout_ms;
    std::optional<uint64_t> delivery;
    std::optional<uint8_t> qos;
    uint32_t subscription_id = 0;  ///< 0: none
    uint8_t retain_handling = 0;
    bool retain = false;
    bool no_local = false;
    bool retain_as_published = false;
};

/// `out.id` is filled in also when something else is wrong, unless the text is not JSON.
Fault read_operation(std::string_view text, Operation& out);

}  // namespace trestle::websocket::json
