#include "zmq/work/native.h"

#include <boost/endian/conversion.hpp>
#include <charconv>

namespace trestle::zmq {

namespace {

using Kind = NativeMessage::Kind;

constexpr std::string_view kName = "TRW";
constexpr std::string_view kHead = "TRW1";
constexpr char kWelcome = '\x81';
constexpr char kDeliver = '\x82';
constexpr char kDeliverMany = '\x83';
constexpr char kPublished = '\x88';
constexpr char kHeartbeat = '\x89';
constexpr char kClose = '\x8a';
constexpr size_t kTag = 8;

template <class T>
T read_number(std::string_view bytes) {
    return boost::endian::endian_load<T, sizeof(T), boost::endian::order::big>(
        reinterpret_cast<const unsigned char*>(bytes.data()));
}

template <class T>
void put_number(std::string& out, T number) {
    unsigned char bytes[sizeof(T)];
    boost::endian::endian_store<T, sizeof(T), boost::endian::order::big>(bytes, number);
    out.append(reinterpret_cast<const char*>(bytes), sizeof(T));
}

std::string head(char command) {
    std::string out(kHead);
    out.push_back(command);
    return out;
}

// The fields behind the command, and how many frames may follow.
bool read_fields(Kind kind, std::string_view fields, FrameView rest, NativeMessage& message) {
    switch (kind) {
        case Kind::hello:
            if (fields.size() != 4 && fields.size() != 8) return false;
            if (rest.size() != 1 || rest[0].empty()) return false;
            message.window = read_number<uint32_t>(fields);
            if (fields.size() == 8) message.bundle = read_number<uint32_t>(fields.substr(4));
            message.service = rest[0];
            return message.window > 0;
        case Kind::window:
            if (fields.size() != 4 || !rest.empty()) return false;
            message.window = read_number<uint32_t>(fields);
            return true;
        case Kind::ack:
        case Kind::extend:
        case Kind::release:
            message.tags = fields;
            return !fields.empty() && fields.size() % kTag == 0 && rest.empty();
        case Kind::reply:
        case Kind::partial:
            message.tags = fields;
            return fields.size() == kTag && !rest.empty();
        case Kind::nack:
            if (fields.size() != kTag + 5 || rest.size() > 1) return false;
            message.tags = fields.substr(0, kTag);
            message.delay_ms = read_number<uint32_t>(fields.substr(kTag));
            message.for_good = fields.back() == 1;
            return fields.back() == 0 || fields.back() == 1;
        case Kind::publish:
            if (fields.size() != 8 || rest.size() != 3) return false;
            message.publish_id = read_number<uint64_t>(fields);
            return true;
        case Kind::heartbeat:
        case Kind::bye:
            return fields.empty() && rest.empty();
        case Kind::bad:
            break;
    }
    return false;
}

}  // namespace

uint64_t NativeMessage::tag_at(size_t i) const {
    return read_number<uint64_t>(tags.substr(i * kTag, kTag));
}

bool is_native(std::string_view head) {
    return head.size() > kHead.size() && head.starts_with(kName);
}

NativeMessage read_native(FrameView frames) {
    NativeMessage message;
    if (frames.empty() || frames[0].size() <= kHead.size() || !frames[0].starts_with(kHead)) {
        return message;
    }
    const auto command = static_cast<unsigned char>(frames[0][kHead.size()]);
    if (command == 0 || command > static_cast<unsigned char>(Kind::release)) return message;
    const auto kind = static_cast<Kind>(command);
    message.body = frames.subspan(1);
    if (read_fields(kind, frames[0].substr(kHead.size() + 1), message.body, message)) {
        message.kind = kind;
    }
    return message;
}

std::string native_welcome(uint32_t heartbeat_ms, uint32_t lease_ms, uint32_t window) {
    std::string out = head(kWelcome);
    put_number(out, heartbeat_ms);
    put_number(out, lease_ms);
    put_number(out, window);
    return out;
}

std::string native_deliver(uint64_t tag, uint32_t attempt) {
    std::string out = head(kDeliver);
    put_number(out, tag);
    put_number(out, attempt);
    return out;
}

void NativeBundle::clear() {
    head_.assign(kHead);
    head_.push_back(kDeliverMany);
    frames_.clear();
}

void NativeBundle::add(uint64_t tag, uint32_t attempt, FrameView frames) {
    put_number(head_, tag);
    put_number(head_, attempt);
    put_number(head_, static_cast<uint16_t>(frames.size()));
    for (const auto frame : frames) {
        put_number(frames_, static_cast<uint32_t>(frame.size()));
        frames_.append(frame);
    }
}

std::string native_published(uint64_t publish_id, std::string_view status) {
    uint16_t number = 0;
    std::from_chars(status.data(), status.data() + status.size(), number);
    std::string out = head(kPublished);
    put_number(out, publish_id);
    put_number(out, number);
    return out;
}

std::string native_heartbeat() { return head(kHeartbeat); }

std::string native_close() { return head(kClose); }

}  // namespace trestle::zmq
