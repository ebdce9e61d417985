// All packet types with everything they can carry: there and back, in any order, cut off anywhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "bytes.h"
#include "core/properties.h"
#include "recode.h"

namespace trestle::mqtt {
namespace {

using namespace std::string_literals;
using testing::block;
using testing::hex;
using testing::packet;
using testing::str;

struct Sample {
    const char* what;
    Version version;
    Sender sender;
    std::string bytes;
};

using Pieces = std::vector<std::string>;

std::string joined(const Pieces& pieces) {
    std::string all;
    for (const auto& piece : pieces) all += piece;
    return all;
}

const Pieces kUser{hex("26 0001 61 0001 31"), hex("26 0001 62 0002 C3 A9"), hex("26 0001 61 0000")};

Pieces with_user(Pieces pieces) {
    pieces.insert(pieces.end(), kUser.begin(), kUser.end());
    return pieces;
}

// Each property a packet may have, in the order the encoder writes them.
const Pieces kConnect =
    with_user({hex("11 FFFFFFFF"), hex("21 0014"), hex("27 00010000"), hex("22 FFFF"), hex("19 01"),
               hex("17 00"), "\x15" + str("SCRAM-SHA-1"), "\x16" + str("\0\xFF"s)});
const Pieces kConnack =
    with_user({hex("11 00000E10"), hex("21 FFFF"), hex("24 01"), hex("25 00"), hex("27 10000004"),
               "\x12" + str("auto-1"), hex("22 000A"), hex("28 01"), hex("29 00"), hex("2A 01"),
               hex("13 003C"), "\x1A" + str("answers/"), "\x1C" + str("other:1883"),
               "\x15" + str("m"), "\x16" + str("d"), "\x1F" + str("because")});
const Pieces kPublish =
    with_user({hex("02 00000000"), hex("23 FFFF"), hex("01 01"), "\x03" + str("text/plain"),
               "\x08" + str("answers/1"), "\x09" + str("\0\1\2"s)});
const Pieces kPublishOfServer = with_user({hex("02 FFFFFFFF"), hex("23 0001"), hex("0B 01"),
                                           hex("0B FF FF FF 7F"), hex("01 00"), "\x03" + str("")});
const Pieces kWill = with_user({hex("18 0000000A"), hex("02 0000003C"), hex("01 01"),
                                "\x03" + str("c"), "\x08" + str("r"), "\x09" + str("")});
const Pieces kReason = with_user({"\x1F" + str("because")});
const Pieces kSubscribe = with_user({hex("0B 80 01")});
const Pieces kDisconnectOfClient = with_user({hex("11 00000000"), "\x1F" + str("bye")});
const Pieces kDisconnectOfServer = with_user({"\x1C" + str("there"), "\x1F" + str("bye")});
const Pieces kAuth = with_user({"\x15" + str("m"), "\x16" + str("\0"s), "\x1F" + str("go on")});

std::string connect(const Pieces& properties, const Pieces& will) {
    return packet(0x10, str("MQTT") + hex("05 EE 000A") + block(joined(properties)) + str("id") +
                            block(joined(will)) + str("will/t") + str("gone") + str("user") +
                            str("pass"));
}
std::string publish(unsigned header, const std::string& id, const Pieces& properties) {
    return packet(header, str("a/b/c/d/e") + id + block(joined(properties)) + "payload");
}

std::vector<Sample> samples() {
    constexpr auto kClient = Sender::client;
    constexpr auto kServer = Sender::server;
    const std::string all = block(joined(kReason));
    std::vector<Sample> list{
        {"CONNECT", Version::v5, kClient, connect(kConnect, kWill)},
        {"CONNACK", Version::v5, kServer, packet(0x20, hex("01 00") + block(joined(kConnack)))},
        {"PUBLISH 0", Version::v5, kClient, publish(0x31, "", kPublish)},
        {"PUBLISH 1", Version::v5, kClient, publish(0x3B, hex("FFFF"), kPublish)},
        {"PUBLISH 2", Version::v5, kServer, publish(0x34, hex("0001"), kPublishOfServer)},
        {"PUBACK", Version::v5, kClient, packet(0x40, hex("0001 97") + all)},
        {"PUBREC", Version::v5, kClient, packet(0x50, hex("0001 10") + all)},
        {"PUBREL", Version::v5, kClient, packet(0x62, hex("0001 92") + all)},
        {"PUBCOMP", Version::v5, kClient, packet(0x70, hex("0001 00") + all)},
        {"SUBSCRIBE", Version::v5, kClient,
         packet(0x82, hex("0001") + block(joined(kSubscribe)) + str("$share/g/a/#") + hex("1A") +
                          str("+") + hex("2D"))},
        {"SUBACK", Version::v5, kServer,
         packet(0x90, hex("0001") + all + hex("00 01 02 80 83 87 8F 91 97 9E A1 A2"))},
        {"UNSUBSCRIBE", Version::v5, kClient,
         packet(0xA2, hex("0001") + block(joined(kUser)) + str("a") + str("") + str("b/#"))},
        {"UNSUBACK", Version::v5, kServer,
         packet(0xB0, hex("0001") + all + hex("00 11 80 83 87 8F 91"))},
        {"PINGREQ", Version::v5, kClient, hex("C0 00")},
        {"PINGRESP", Version::v5, kServer, hex("D0 00")},
        {"DISCONNECT", Version::v5, kClient,
         packet(0xE0, hex("04") + block(joined(kDisconnectOfClient)))},
        {"DISCONNECT", Version::v5, kServer,
         packet(0xE0, hex("9D") + block(joined(kDisconnectOfServer)))},
        {"AUTH", Version::v5, kClient, packet(0xF0, hex("19") + block(joined(kAuth)))},
        {"AUTH", Version::v5, kServer, packet(0xF0, hex("18") + block(joined(kAuth)))},
        {"AUTH", Version::v5, kServer, hex("F0 00")},
        {"PUBLISH of 3.1.1", Version::v311, kClient, packet(0x33, str("a") + hex("0001 00"))},
        {"CONNECT of 3.1", Version::v31, kClient,
         packet(0x10, str("MQIsdp") + hex("03 C2 0000") + str("id") + str("u") + str("p"))},
        {"CONNECT of 3.1.1", Version::v311, kClient,
         packet(0x10, str("MQTT") + hex("04 36 0000") + str("id") + str("t") + str(""))},
        {"SUBSCRIBE of 3.1.1", Version::v311, kClient,
         packet(0x82, hex("0001") + str("a/+") + hex("02"))},
        {"UNSUBSCRIBE of 3.1.1", Version::v311, kClient, packet(0xA2, hex("0001") + str("a/+"))},
    };
    for (const auto* bytes :
         {"20 02 01 00", "20 02 00 05", "40 02 0001", "50 02 0001", "62 02 0001", "70 02 0001",
          "90 06 0001 00 01 02 80", "B0 02 0001", "D0 00", "E0 00"}) {
        list.push_back({bytes, Version::v311, kServer, hex(bytes)});
    }
    return list;
}

TEST(RoundTrip, EveryPacketComesBackByteForByte) {
    for (const auto& sample : samples()) {
        OutBuffer out;
        const Fault fault = testing::recode(sample.version, sample.sender, sample.bytes, out);
        ASSERT_FALSE(fault) << sample.what << ": " << fault.sentence;
        EXPECT_EQ(out.view(), sample.bytes) << sample.what;
    }
}

TEST(RoundTrip, PacketsCoalesceInOneBuffer) {
    OutBuffer out;
    std::string all;
    for (const auto& sample : samples()) {
        ASSERT_FALSE(testing::recode(sample.version, sample.sender, sample.bytes, out));
        all += sample.bytes;
    }
    EXPECT_EQ(out.view(), all);
}

// Half a packet is never a packet: more bytes are asked for, and they are known to be missing.
TEST(RoundTrip, APrefixIsNeverAPacket) {
    for (const auto& sample : samples()) {
        for (size_t length = 0; length < sample.bytes.size(); ++length) {
            const std::vector<char> exact(sample.bytes.begin(),
                                          sample.bytes.begin() + static_cast<long>(length));
            Frame frame;
            Fault fault;
            ASSERT_EQ(
                read_frame({exact.data(), length}, kLargestPacket, sample.version, frame, fault),
                FrameStatus::need_more)
                << sample.what;
            EXPECT_TRUE(frame.size == 0 || frame.size == sample.bytes.size());
        }
    }
}

/// Whether a packet of this type is still one when its end is missing: the payload may be shorter,
/// and lists and optional fields end where the packet ends.
bool may_end_early(const Sample& sample, size_t left) {
    Frame frame;
    Fault fault;
    (void)read_frame(sample.bytes, kLargestPacket, sample.version, frame, fault);
    switch (frame.type()) {
        case PacketType::publish:
            return sample.bytes.size() - left <= 7;
        case PacketType::subscribe:
        case PacketType::unsubscribe:
        case PacketType::suback:
        case PacketType::unsuback:
            return true;
        case PacketType::puback:
        case PacketType::pubrec:
        case PacketType::pubrel:
        case PacketType::pubcomp:
            return frame.body.size() - (sample.bytes.size() - left) <= 3;
        case PacketType::disconnect:
            return frame.body.size() - (sample.bytes.size() - left) <= 1;
        case PacketType::auth:
            return left == 2;
        default:
            return false;
    }
}

// With a remaining length that fits the shortened body, the fields inside end too early.
TEST(RoundTrip, AShortenedBodyIsMalformed) {
    for (const auto& sample : samples()) {
        Frame frame;
        Fault fault;
        ASSERT_EQ(read_frame(sample.bytes, kLargestPacket, sample.version, frame, fault),
                  FrameStatus::ready);
        for (size_t length = 0; length < frame.body.size(); ++length) {
            const std::vector<char> exact(frame.body.begin(),
                                          frame.body.begin() + static_cast<long>(length));
            Frame shorter = frame;
            shorter.body = {exact.data(), length};
            OutBuffer out;
            const Fault found = testing::recode(sample.version, sample.sender, shorter, out);
            const size_t left = sample.bytes.size() - frame.body.size() + length;
            if (found) continue;
            EXPECT_TRUE(may_end_early(sample, left)) << sample.what << " at " << length;
            // What was accepted is all there was, but for a reason that says success.
            const std::string whole = packet(frame.header, shorter.body);
            const bool success =
                sample.version == Version::v5 && length == 3 && whole.back() == '\0';
            EXPECT_EQ(out.view(), success ? packet(frame.header, whole.substr(2, 2)) : whole);
        }
    }
}

// Each byte set to each of a few values: whatever is accepted encodes and decodes to itself.
TEST(RoundTrip, AChangedByteIsRefusedOrUnderstood) {
    for (const auto& sample : samples()) {
        for (size_t place = 0; place < sample.bytes.size(); ++place) {
            for (const int value : {0x00, 0x01, 0x02, 0x03, 0x26, 0x2B, 0x7F, 0x80, 0xC3, 0xFF}) {
                std::string bytes = sample.bytes;
                bytes[place] = static_cast<char>(value);
                OutBuffer first;
                if (testing::recode(sample.version, sample.sender, bytes, first)) continue;
                OutBuffer second;
                const Fault fault =
                    testing::recode(sample.version, sample.sender, first.view(), second);
                ASSERT_FALSE(fault) << sample.what << " at " << place << ": " << fault.sentence;
                ASSERT_EQ(first.view(), second.view()) << sample.what << " at " << place;
            }
        }
    }
}

// Properties may come in any order; user properties keep theirs.
TEST(RoundTrip, PropertiesInRandomOrder) {
    std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same run each time
    const auto shuffled = [&](Pieces pieces) {
        std::shuffle(pieces.begin(), pieces.end(), random);
        return pieces;
    };
    const auto user_in = [](std::string_view bytes) {
        std::vector<UserProperty> found;
        for (const auto& property : UserProperties(bytes)) found.push_back(property);
        return found;
    };
    for (int i = 0; i < 200; ++i) {
        const Pieces properties = shuffled(kPublishOfServer);
        const std::string bytes = publish(0x30, "", properties);
        Frame frame;
        Fault fault;
        ASSERT_EQ(read_frame(bytes, kLargestPacket, Version::v5, frame, fault), FrameStatus::ready);
        Publish packet;
        std::string scratch;
        std::vector<uint32_t> ids;
        fault = decode_publish(Version::v5, frame, packet, scratch, &ids);
        ASSERT_FALSE(fault) << fault.sentence;
        const std::string all = joined(properties);
        EXPECT_EQ(user_in(packet.properties), user_in(all));
        EXPECT_EQ(user_in(all).size(), kUser.size());
        EXPECT_EQ(ApplicationProperties(packet.properties).payload_format(), 0);
        EXPECT_EQ(ApplicationProperties(packet.properties).content_type(), "");
        EXPECT_EQ(packet.message_expiry, 0xFFFFFFFFU);
        EXPECT_EQ(packet.topic_alias, 1);
        std::sort(ids.begin(), ids.end());
        EXPECT_EQ(ids, (std::vector<uint32_t>{1, 268'435'455}));
        EXPECT_EQ(packet.payload, "payload");
    }
    for (int i = 0; i < 200; ++i) {
        const std::string bytes = connect(shuffled(kConnect), shuffled(kWill));
        OutBuffer first;
        ASSERT_FALSE(testing::recode(Version::v5, Sender::client, bytes, first));
        EXPECT_EQ(first.size(), bytes.size());
    }
}

}  // namespace
}  // namespace trestle::mqtt
