// The meta frame of the format `full`: a JSON object that says what the key does not.
//
//   id                string     of a job for workers: stable, however often it is handed out
//   attempt           number     of a job: how often it has been handed out, from 1
//   topic             string     the MQTT topic
//   qos               0, 1, 2
//   retain            boolean
//   client            string     the publisher's client id
//   user              string     the name that it has proven to have
//   time              number     milliseconds since 1970, when the gateway took the message; absent
//                                in a snapshot and of mqtt.retained
//   expiry_s          number     seconds that the message is still good for
//   content_type      string
//   response_topic    string
//   correlation_data  string     base64 (RFC 4648 section 4)
//   payload_format    0, 1       1: the payload is UTF-8 text
//   timeout_ms        number     towards the gateway: how long a device's answer may take
//   properties        array      user properties, pairs [name, value] in order
//   snapshot          true       a retained message, sent since somebody has subscribed
//   sequence          array      [epoch, number], see zmq/sequence.h
//
// What a message does not have is absent. From a worker, every key may be absent: the route's
// options count then; what only the gateway knows and unknown keys are ignored. Pure functions, any
// thread; bad JSON is an answer, not an exception.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/message.h"

namespace trestle::zmq {

struct OutgoingMeta {
    const MessageView& message;
    Qos qos;
    std::string_view client = {};
    std::string_view user = {};
    uint64_t taken_ms = 0;  ///< wall clock; 0: not known
    uint64_t now_ms = 0;    ///< steady clock, as `message.expires_at_ms`
    std::string_view id = {};
    unsigned attempt = 0;
    bool is_snapshot = false;
};

std::string write_meta(const OutgoingMeta& meta);

struct IncomingMeta {
    std::optional<Qos> qos;
    std::optional<bool> retain;
    std::optional<uint32_t> expiry_s;
    std::optional<uint32_t> timeout_ms;  ///< of mqtt.request
    std::string properties;              ///< as core/properties.h has them
};

/// A larger meta frame is refused unread.
inline constexpr size_t kLargestMeta = 256 * 1024;

/// Nothing when it is no JSON object, or a known key has a value that MQTT could not carry.
std::optional<IncomingMeta> read_meta(std::string_view json);

}  // namespace trestle::zmq
