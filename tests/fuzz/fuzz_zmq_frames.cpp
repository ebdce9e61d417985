// Inbound ZeroMQ messages: frames of every format, keys, and the JSON of the meta frame.
//
// Input: one byte for the format, then frames, each with two bytes of length (little-endian) in
// front; the last one is what is left. What is read must also survive the way out and back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/base64.h"
#include "core/properties.h"
#include "core/utf8.h"
#include "zmq/frames.h"
#include "zmq/key_table.h"
#include "zmq/meta.h"

namespace {

using namespace trestle;
using namespace trestle::zmq;

void require(bool holds) {
    if (!holds) std::abort();
}

std::vector<std::string_view> cut(std::string_view input) {
    std::vector<std::string_view> frames;
    while (input.size() >= 2 && frames.size() < 16) {
        const size_t wanted = static_cast<uint8_t>(input[0]) |
                              static_cast<size_t>(static_cast<uint8_t>(input[1])) << 8U;
        input.remove_prefix(2);
        const std::string_view frame = input.substr(0, wanted);
        frames.push_back(frame);
        input.remove_prefix(frame.size());
    }
    if (!input.empty()) frames.push_back(input);
    return frames;
}

void check_meta(std::string_view json) {
    const auto meta = read_meta(json);
    if (!meta) return;
    require(!meta->qos || *meta->qos <= Qos::exactly_once);
    for (const auto& property : ApplicationProperties(meta->properties)) {
        if (property.id == ApplicationPropertyId::user_property) {
            require(is_valid_mqtt_utf8(property.name) && is_valid_mqtt_utf8(property.value));
        }
    }
    MessageView message;
    message.topic = "t";
    message.properties = meta->properties;
    message.retain = meta->retain.value_or(false);
    if (meta->expiry_s) message.expires_at_ms = *meta->expiry_s * uint64_t{1000};
    const Qos qos = meta->qos.value_or(Qos::at_most_once);
    const std::string written = write_meta({message, qos, "client", "user", 1, 0});
    if (written.size() > kLargestMeta) return;
    const auto again = read_meta(written);
    require(again && again->qos == qos && again->retain == message.retain);
    require(again->expiry_s == meta->expiry_s);
    require(again->properties.size() == meta->properties.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    const FrameFormat format{.format = static_cast<Format>(data[0] & 3),
                             .separator = (data[0] & 4) != 0 ? " " : "::",
                             .has_terminator = (data[0] & 8) != 0};
    const auto frames = cut(input);
    const auto in = split_frames(format, frames);
    if (!in) return 0;
    std::string key(in->key);
    if (format.has_terminator) key.push_back('\0');
    const auto out = make_frames(format, key, in->meta, in->payload);
    std::string joined;
    for (const auto part : out.parts) joined += part;
    std::vector<std::string_view> sent{joined};
    if (!out.is_joined) sent.assign(out.parts.begin(), out.parts.begin() + out.count);
    const auto again = split_frames(format, sent);
    require(again && again->key == in->key && again->payload == in->payload);
    std::string buffer;
    const auto first = first_frame(format, key, in->payload, input.size(), buffer);
    require(sent[0] == first);
    if (is_usable_key(in->key)) require(is_valid_mqtt_utf8(in->key));
    if (format.format == Format::full) check_meta(in->meta);
    if (const auto bytes = decode_base64(in->payload))
        require(encode_base64(*bytes) == in->payload);
    return 0;
}
