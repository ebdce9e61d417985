// Just enough MQTT 3.1.1 / 5 encoding for a load generator.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace wire {

using Bytes = std::vector<uint8_t>;

enum Type : uint8_t {
    CONNECT = 1,
    CONNACK,
    PUBLISH,
    PUBACK,
    PUBREC,
    PUBREL,
    PUBCOMP,
    SUBSCRIBE,
    SUBACK,
    UNSUBSCRIBE,
    UNSUBACK,
    PINGREQ,
    PINGRESP,
    DISCONNECT
};

inline void put8(Bytes& b, unsigned v) { b.push_back(uint8_t(v)); }
inline void put16(Bytes& b, unsigned v) {
    put8(b, v >> 8);
    put8(b, v & 0xff);
}
inline void put_varint(Bytes& b, uint32_t v) {
    do {
        const uint8_t low = v & 0x7f;
        v >>= 7;
        b.push_back(v ? low | 0x80 : low);
    } while (v);
}
inline void put_str(Bytes& b, std::string_view s) {
    put16(b, unsigned(s.size()));
    b.insert(b.end(), s.begin(), s.end());
}
inline uint16_t get16(const uint8_t* p) { return uint16_t(p[0] << 8 | p[1]); }
inline uint32_t get32(const uint8_t* p) { return uint32_t(get16(p)) << 16 | get16(p + 2); }

// Reads a variable byte integer; 0: needs more bytes, <0: malformed, else its length.
inline int get_varint(const uint8_t* p, const uint8_t* end, uint32_t& v) {
    v = 0;
    for (int i = 0; i < 4; ++i) {
        if (p + i >= end) return 0;
        v |= uint32_t(p[i] & 0x7f) << (7 * i);
        if (!(p[i] & 0x80)) return i + 1;
    }
    return -1;
}

inline void put_packet(Bytes& out, unsigned first, const Bytes& body) {
    put8(out, first);
    put_varint(out, uint32_t(body.size()));
    out.insert(out.end(), body.begin(), body.end());
}

inline void put_connect(Bytes& out, bool v5, std::string_view id, unsigned keepalive, bool clean) {
    Bytes b;
    put_str(b, "MQTT");
    put8(b, v5 ? 5 : 4);
    put8(b, clean ? 2 : 0);
    put16(b, keepalive);
    if (v5) {  // Receive Maximum 65535
        put_varint(b, 3);
        put8(b, 0x21);
        put16(b, 65535);
    }
    put_str(b, id);
    put_packet(out, CONNECT << 4, b);
}

inline void put_subscribe(Bytes& out, bool v5, unsigned id, const std::vector<std::string>& filters,
                          unsigned qos) {
    Bytes b;
    put16(b, id);
    if (v5) put_varint(b, 0);
    for (auto& f : filters) {
        put_str(b, f);
        put8(b, qos);
    }
    put_packet(out, SUBSCRIBE << 4 | 2, b);
}

inline void put_ack(Bytes& out, Type t, unsigned id) {
    put8(out, unsigned(t) << 4 | (t == PUBREL ? 2 : 0));
    put8(out, 2);
    put16(out, id);
}

// A PUBLISH prepared once and patched per message.
struct PublishTemplate {
    Bytes bytes;
    size_t id_at = 0;       // offset of the packet id (0: QoS 0)
    size_t payload_at = 0;  // offset of the payload

    PublishTemplate() = default;
    PublishTemplate(bool v5, std::string_view topic, unsigned qos, size_t payload,
                    unsigned alias = 0, bool with_topic = true) {
        Bytes props;
        if (alias) {
            put8(props, 0x23);
            put16(props, alias);
        }
        const std::string_view t = with_topic ? topic : std::string_view();
        const size_t len = 2 + t.size() + (qos ? 2 : 0) + (v5 ? 1 + props.size() : 0) + payload;
        put8(bytes, PUBLISH << 4 | qos << 1);
        put_varint(bytes, uint32_t(len));
        put_str(bytes, t);
        if (qos) {
            id_at = bytes.size();
            put16(bytes, 0);
        }
        if (v5) {
            put_varint(bytes, uint32_t(props.size()));
            bytes.insert(bytes.end(), props.begin(), props.end());
        }
        payload_at = bytes.size();
        bytes.resize(payload_at + payload, 'x');
    }
};

// The first bytes of every payload, so that a receiver can check and time it.
struct Stamp {
    uint64_t sent_ns;
    uint32_t source;
    uint32_t seq;
};
static_assert(sizeof(Stamp) == 16);

}  // namespace wire
