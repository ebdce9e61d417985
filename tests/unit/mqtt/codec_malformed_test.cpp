// Everything that is wrong with a packet has the reason that the specification asks for.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bytes.h"
#include "recode.h"

namespace trestle::mqtt {
namespace {

using namespace std::string_literals;
using testing::block;
using testing::hex;
using testing::packet;
using testing::str;

constexpr Reason kMalformed = Reason::malformed_packet;
constexpr Reason kProtocol = Reason::protocol_error;
constexpr Version kV31 = Version::v31;
constexpr Version kV311 = Version::v311;
constexpr Version kV5 = Version::v5;

struct Case {
    const char* what;
    Version version;
    Reason reason;
    std::string bytes;
};

void check(const std::vector<Case>& cases, Sender sender = Sender::client) {
    for (const auto& bad : cases) {
        OutBuffer out;
        const Fault fault = testing::recode(bad.version, sender, bad.bytes, out);
        ASSERT_TRUE(fault) << bad.what << ": accepted";
        EXPECT_EQ(fault.reason, bad.reason) << bad.what << ": " << fault.sentence;
        EXPECT_TRUE(out.empty()) << bad.what;
    }
}

TEST(Malformed, FixedHeader) {
    std::vector<Case> cases{
        {"type 0", kV5, kMalformed, hex("00 00")},
        {"type 15 in 3.1.1", kV311, kMalformed, hex("F0 00")},
        {"five bytes of length", kV5, kMalformed, hex("30 FF FF FF FF 01")},
        {"five bytes of length, four there", kV5, kMalformed, hex("30 80 80 80 80")},
        {"length longer than needed", kV5, kMalformed, hex("C0 80 00")},
        {"length longer than needed", kV5, kMalformed, hex("30 85 80 00")},
        {"a body behind PINGREQ", kV5, kMalformed, hex("C0 01 00")},
        {"SUBSCRIBE with DUP is for 3.1", kV311, kMalformed, hex("8A 06 0001 0001 61 00")},
    };
    // [MQTT-2.1.3-1]: each reserved flag of each type, in both versions.
    for (unsigned type = 1; type <= 15; ++type) {
        if (type == 3) continue;
        const unsigned right = type == 6 || type == 8 || type == 10 ? 2 : 0;
        for (unsigned flags = 0; flags < 16; ++flags) {
            if (flags == right) continue;
            for (const Version version : {kV311, kV5}) {
                cases.push_back(
                    {"reserved flags", version, kMalformed, packet(type << 4 | flags, "")});
            }
        }
    }
    check(cases);
}

TEST(Malformed, TooLargePacketsAreFoundByTheirHeader) {
    Frame frame;
    Fault fault;
    EXPECT_EQ(read_frame(hex("30 64"), 101, kV5, frame, fault), FrameStatus::fault);
    EXPECT_EQ(fault.reason, Reason::packet_too_large);
    EXPECT_EQ(read_frame(hex("30 64"), 102, kV5, frame, fault), FrameStatus::need_more);
    EXPECT_EQ(frame.size, 102U);
}

std::string connect_v5(const std::string& flags, const std::string& properties,
                       const std::string& payload) {
    return packet(0x10, str("MQTT") + "\x05" + flags + "\0\x0A"s + block(properties) + payload);
}
std::string connect_v311(const std::string& flags, const std::string& payload) {
    return packet(0x10, str("MQTT") + "\x04" + flags + "\0\x0A"s + payload);
}

TEST(Malformed, ConnectHeader) {
    const auto version_like = [](const char* name, char level) {
        return packet(0x10, str(name) + level + "\x02\0\x0A"s + str("id"));
    };
    constexpr Reason kVersion = Reason::unsupported_protocol_version;
    check({
        {"level 3 with the new name", kV5, kVersion, version_like("MQTT", 3)},
        {"level 6", kV5, kVersion, version_like("MQTT", 6)},
        {"level 0", kV5, kVersion, version_like("MQTT", 0)},
        {"a bridge's level", kV5, kVersion, version_like("MQTT", '\x84')},
        {"level 4 with the old name", kV5, kVersion, version_like("MQIsdp", 4)},
        {"a name in lower case", kV5, kMalformed, version_like("mqtt", 4)},
        {"no name", kV5, kMalformed, version_like("", 4)},
        {"[MQTT-3.1.2-3] reserved flag, 5.0", kV5, kMalformed, connect_v5("\x03", "", str("id"))},
        {"[MQTT-3.1.2-3] reserved flag, 3.1.1", kV5, kMalformed, connect_v311("\x03", str("id"))},
        {"will QoS 3", kV5, kMalformed,
         connect_v5("\x1E", "", str("id") + "\0"s + str("t") + str(""))},
        {"will QoS without will", kV5, kMalformed, connect_v5("\x0A", "", str("id"))},
        {"will QoS without will", kV5, kMalformed, connect_v311("\x12", str("id"))},
        {"will retain without will", kV5, kMalformed, connect_v5("\x22", "", str("id"))},
        {"will retain without will", kV5, kMalformed, connect_v311("\x22", str("id"))},
        {"password without user name, 3.1.1", kV5, kMalformed,
         connect_v311("\x42", str("id") + str("pw"))},
    });
}

TEST(Malformed, ConnectAnswersInTheRightVersion) {
    const auto version_of = [](const std::string& bytes) {
        Frame frame;
        Fault fault;
        EXPECT_EQ(read_frame(bytes, kLargestPacket, kV5, frame, fault), FrameStatus::ready);
        Connect connect;
        std::string scratch;
        EXPECT_TRUE(decode_connect(frame, connect, scratch));
        return connect.version;
    };
    EXPECT_EQ(version_of(packet(0x10, str("MQTT") + "\x06")), kV5);
    EXPECT_EQ(version_of(packet(0x10, str("MQTT") + "\x06\2\0\0\0"s + str("id"))), kV5);
    EXPECT_EQ(version_of(packet(0x10, str("MQTT") + "\x06\2\0\0"s + str("id"))), kV311);
    EXPECT_EQ(version_of(packet(0x10, str("MQTT") + "\x84\2\0\0"s + str("id"))), kV311)
        << "mosquitto's bridges try it first";
    EXPECT_EQ(version_of(packet(0x10, str("MQTT") + "\x03")), kV311);
    EXPECT_EQ(version_of(packet(0x10, str("MQTT") + "\x05")), kV5);
    EXPECT_EQ(version_of(packet(0x10, str("MQIsdp") + "\x03")), kV31);
    EXPECT_EQ(version_of(connect_v5("\x03", "", str("id"))), kV5);
}

TEST(Malformed, ConnectPayload) {
    constexpr Reason kId = Reason::client_identifier_not_valid;
    constexpr Reason kTopic = Reason::topic_name_invalid;
    const std::string will = "\0"s + str("t") + str("p");
    check({
        {"[MQTT-3.1.3-8] empty id, session kept", kV5, kId, connect_v311(hex("00"), str(""))},
        {"3.1 has no empty ids", kV5, kId,
         packet(0x10, str("MQIsdp") + hex("03 02 000A") + str(""))},
        {"NUL in the client id", kV5, kMalformed, connect_v5("\x02", "", str("a\0b"s))},
        {"no UTF-8 in the client id", kV5, kMalformed, connect_v311("\x02", str("\xFF"))},
        {"surrogate in the client id", kV5, kMalformed,
         connect_v5("\x02", "", str("\xED\xA0\x80"))},
        {"no client id", kV5, kMalformed, connect_v5("\x02", "", "")},
        {"short client id", kV5, kMalformed, connect_v5("\x02", "", hex("0003 6161"))},
        {"bytes behind the client id", kV5, kMalformed, connect_v5("\x02", "", str("id") + "x")},
        {"bytes behind the client id", kV5, kMalformed, connect_v311("\x02", str("id") + "x")},
        {"no user name", kV5, kMalformed, connect_v5("\x82", "", str("id"))},
        {"no password", kV5, kMalformed, connect_v5("\xC2", "", str("id") + str("user"))},
        {"no UTF-8 in the user name", kV5, kMalformed,
         connect_v5("\x82", "", str("id") + str("\xC0"))},
        {"wildcard in the will topic", kV5, kTopic,
         connect_v5("\x06", "", str("id") + "\0"s + str("a/#") + str("p"))},
        {"wildcard in the will topic", kV5, kTopic,
         connect_v311("\x06", str("id") + str("+") + str("p"))},
        {"empty will topic", kV5, kTopic, connect_v311("\x06", str("id") + str("") + str("p"))},
        {"NUL in the will topic", kV5, kMalformed,
         connect_v311("\x06", str("id") + str("\0"s) + str(""))},
        {"no will payload", kV5, kMalformed, connect_v311("\x06", str("id") + str("t"))},
        {"no will", kV5, kMalformed, connect_v5("\x06", "", str("id"))},
        {"will delay in CONNECT", kV5, kMalformed,
         connect_v5("\x06", hex("18 00000001"), str("id") + will)},
        {"will delay twice", kV5, kProtocol,
         connect_v5("\x06", "",
                    str("id") + block(hex("18 00000001 18 00000001")) + str("t") + str(""))},
        {"topic alias in a will", kV5, kMalformed,
         connect_v5("\x06", "", str("id") + block(hex("23 0001")) + str("t") + str(""))},
        {"subscription id in a will", kV5, kMalformed,
         connect_v5("\x06", "", str("id") + block(hex("0B 01")) + str("t") + str(""))},
        {"will format 2", kV5, kProtocol,
         connect_v5("\x06", "", str("id") + block(hex("01 02")) + str("t") + str(""))},
        {"will properties too long", kV5, kMalformed,
         connect_v5("\x06", "", str("id") + hex("7F 18 00000001") + str("t") + str(""))},
    });
}

TEST(Malformed, ConnectProperties) {
    std::vector<Case> cases{
        {"receive maximum 0", kV5, kProtocol, connect_v5("\x02", hex("21 0000"), str("id"))},
        {"maximum packet size 0", kV5, kProtocol,
         connect_v5("\x02", hex("27 00000000"), str("id"))},
        {"problem information 2", kV5, kProtocol, connect_v5("\x02", hex("17 02"), str("id"))},
        {"response information 2", kV5, kProtocol, connect_v5("\x02", hex("19 02"), str("id"))},
        {"data without method", kV5, kProtocol, connect_v5("\x02", hex("16 0001 61"), str("id"))},
        {"data twice", kV5, kProtocol,
         connect_v5("\x02", hex("15 0001 61 16 0000 16 0000"), str("id"))},
        {"method not UTF-8", kV5, kMalformed, connect_v5("\x02", hex("15 0001 FF"), str("id"))},
        {"user property name not UTF-8", kV5, kMalformed,
         connect_v5("\x02", hex("26 0001 FF 0000"), str("id"))},
        {"user property value with NUL", kV5, kMalformed,
         connect_v5("\x02", hex("26 0001 61 0001 00"), str("id"))},
        {"user property without value", kV5, kMalformed,
         connect_v5("\x02", hex("26 0001 61"), str("id"))},
        {"property 0", kV5, kMalformed, connect_v5("\x02", hex("00 00"), str("id"))},
        {"property 0x7F", kV5, kMalformed, connect_v5("\x02", hex("7F 00"), str("id"))},
        {"property 0xFF", kV5, kMalformed, connect_v5("\x02", hex("FF 00"), str("id"))},
        {"length of the properties not minimal", kV5, kMalformed,
         packet(0x10, str("MQTT") + hex("05 02 000A 80 00") + str("id"))},
        {"length of the properties of five bytes", kV5, kMalformed,
         packet(0x10, str("MQTT") + hex("05 02 000A 80 80 80 80 00") + str("id"))},
        {"properties beyond the packet", kV5, kMalformed,
         packet(0x10, str("MQTT") + hex("05 02 000A 7F") + str("id"))},
    };
    for (const auto* one :
         {"11 00000001", "21 0001", "27 00000001", "22 0001", "19 01", "17 01", "15 0001 61"}) {
        const std::string property = hex(one);
        cases.push_back(
            {"repeated", kV5, kProtocol, connect_v5("\x02", property + property, str("id"))});
        cases.push_back({"cut off", kV5, kMalformed,
                         connect_v5("\x02", property.substr(0, property.size() - 1), str("id"))});
    }
    for (const auto* one : {"01 00", "02 00000001", "03 0000", "08 0001 61", "09 0000", "0B 01",
                            "12 0000", "13 0001", "1A 0000", "1C 0000", "1F 0000", "23 0001",
                            "24 01", "25 01", "28 01", "29 01", "2A 01"}) {
        cases.push_back({one, kV5, kMalformed, connect_v5("\x02", hex(one), str("id"))});
    }
    check(cases);
}

std::string publish_v5(const std::string& properties) {
    return packet(0x30, str("t") + block(properties) + "payload");
}

TEST(Malformed, Publish) {
    constexpr Reason kTopic = Reason::topic_name_invalid;
    check({
        {"[MQTT-3.3.1-4] QoS 3", kV5, kMalformed, packet(0x36, str("t") + hex("0001 00"))},
        {"[MQTT-3.3.1-4] QoS 3", kV311, kMalformed, packet(0x36, str("t") + hex("0001"))},
        {"[MQTT-3.3.1-2] DUP at QoS 0", kV5, kMalformed, packet(0x38, str("t") + hex("00"))},
        {"[MQTT-3.3.1-2] DUP at QoS 0", kV311, kMalformed, packet(0x38, str("t"))},
        {"packet id 0", kV5, kProtocol, packet(0x32, str("t") + hex("0000 00"))},
        {"packet id 0", kV311, kProtocol, packet(0x34, str("t") + hex("0000"))},
        {"half a packet id", kV311, kMalformed, packet(0x34, str("t") + hex("00"))},
        {"nothing", kV311, kMalformed, packet(0x30, "")},
        {"topic beyond the packet", kV311, kMalformed, packet(0x30, hex("0002 61"))},
        {"[MQTT-3.3.2-2] +", kV5, kTopic, packet(0x30, str("a/+/b") + hex("00"))},
        {"[MQTT-3.3.2-2] #", kV311, kTopic, packet(0x30, str("#"))},
        {"[MQTT-3.3.2-2] # in a long topic", kV311, kTopic,
         packet(0x30, str("sensors/berlin/1/#"))},
        {"[MQTT-3.3.2-2] + in a long topic", kV311, kTopic,
         packet(0x30, str("sensors/+/1/temperature"))},
        {"[MQTT-3.3.2-2] + beside other letters", kV5, kTopic,
         packet(0x30, str("b\xC3\xBCro/+") + hex("00"))},
        {"NUL", kV5, kMalformed, packet(0x30, str("sensors/\0"s) + hex("00"))},
        {"NUL", kV311, kMalformed, packet(0x30, str("a\0"s))},
        {"no UTF-8", kV5, kMalformed, packet(0x30, str("sensors/berlin/\xFF") + hex("00"))},
        {"empty topic in 3.1.1", kV311, kTopic, packet(0x30, str("") + "payload")},
        {"empty topic without alias", kV5, kProtocol, packet(0x30, str("") + hex("00"))},
        {"no properties", kV5, kMalformed, packet(0x30, str("t"))},
        {"properties beyond the packet", kV5, kMalformed, packet(0x30, str("t") + hex("05 01 00"))},
        {"properties not minimal", kV5, kMalformed, packet(0x30, str("t") + hex("82 00 01 00"))},
    });
}

TEST(Malformed, PublishProperties) {
    std::vector<Case> cases{
        {"topic alias 0", kV5, Reason::topic_alias_invalid, publish_v5(hex("23 0000"))},
        {"[MQTT-3.3.4-6] subscription id", kV5, kProtocol, publish_v5(hex("0B 01"))},
        {"format 2", kV5, kProtocol, publish_v5(hex("01 02"))},
        {"[MQTT-3.3.2-14] response topic #", kV5, kProtocol, publish_v5(hex("08 0001 23"))},
        {"[MQTT-3.3.2-14] response topic +", kV5, kProtocol, publish_v5(hex("08 0003 61 2F 2B"))},
        {"empty response topic", kV5, kProtocol, publish_v5(hex("08 0000"))},
        {"[MQTT-3.3.2-13] response topic", kV5, kMalformed, publish_v5(hex("08 0001 FF"))},
        {"[MQTT-3.3.2-19] content type", kV5, kMalformed, publish_v5(hex("03 0001 00"))},
        {"user property", kV5, kMalformed, publish_v5(hex("26 0000 0001 FF"))},
        {"user property cut off", kV5, kMalformed, publish_v5(hex("26 0000 0001"))},
        {"a fault behind good ones", kV5, kProtocol, publish_v5(hex("26 0000 0000 23 0001 01 02"))},
    };
    for (const auto* one :
         {"01 01", "02 00000001", "03 0001 61", "08 0001 61", "09 0001 61", "23 0001"}) {
        const std::string property = hex(one);
        cases.push_back({"repeated", kV5, kProtocol, publish_v5(property + property)});
        cases.push_back(
            {"cut off", kV5, kMalformed, publish_v5(property.substr(0, property.size() - 1))});
        cases.push_back({"no value", kV5, kMalformed, publish_v5(property.substr(0, 1))});
    }
    for (const auto* one :
         {"00",          "11 00000001", "12 0000",     "13 0001", "15 0000", "16 0000", "17 01",
          "18 00000001", "19 01",       "1A 0000",     "1C 0000", "1F 0000", "21 0001", "22 0001",
          "24 01",       "25 01",       "27 00000001", "28 01",   "29 01",   "2A 01",   "FF"}) {
        cases.push_back({one, kV5, kMalformed, publish_v5(hex(one))});
    }
    check(cases);
}

TEST(Malformed, Acknowledgements) {
    std::vector<Case> cases;
    for (const unsigned header : {0x40U, 0x50U, 0x62U, 0x70U}) {
        const auto bad = [&](const char* what, Version version, Reason reason, const char* body) {
            cases.push_back({what, version, reason, packet(header, hex(body))});
        };
        for (const Version version : {kV311, kV5}) {
            bad("nothing", version, kMalformed, "");
            bad("half a packet id", version, kMalformed, "00");
            bad("packet id 0", version, kProtocol, "0000");
        }
        bad("a reason in 3.1.1", kV311, kMalformed, "0001 00");
        bad("a reason of other packets", kV5, kProtocol, "0001 01");
        bad("a reason of other packets", kV5, kProtocol, "0001 8D");
        bad("reason string twice", kV5, kProtocol, "0001 00 06 1F 0000 1F 0000");
        bad("reason string not UTF-8", kV5, kMalformed, "0001 00 04 1F 0001 FF");
        bad("property of other packets", kV5, kMalformed, "0001 00 03 21 0001");
        bad("properties beyond the packet", kV5, kMalformed, "0001 00 04 1F 0000");
        bad("bytes behind the properties", kV5, kMalformed, "0001 00 00 00");
    }
    cases.push_back({"PUBACK has no 0x92", kV5, kProtocol, packet(0x40, hex("0001 92"))});
    cases.push_back({"PUBREL has no 0x10", kV5, kProtocol, packet(0x62, hex("0001 10"))});
    check(cases);
}

TEST(Malformed, Subscribe) {
    check({
        {"[MQTT-3.8.3-2] no filter", kV5, kProtocol, packet(0x82, hex("0001 00"))},
        {"[MQTT-3.8.3-3] no filter", kV311, kProtocol, packet(0x82, hex("0001"))},
        {"packet id 0", kV5, kProtocol, packet(0x82, hex("0000 00") + str("a") + "\0"s)},
        {"packet id 0", kV311, kProtocol, packet(0x82, hex("0000") + str("a") + "\0"s)},
        {"nothing", kV5, kMalformed, packet(0x82, "")},
        {"no options", kV5, kMalformed, packet(0x82, hex("0001 00") + str("a"))},
        {"no options", kV311, kMalformed, packet(0x82, hex("0001") + str("a"))},
        {"no options of the second", kV311, kMalformed,
         packet(0x82, hex("0001") + str("a") + "\0"s + str("b"))},
        {"filter beyond the packet", kV311, kMalformed, packet(0x82, hex("0001 0003 61 00"))},
        {"NUL in a filter", kV5, kMalformed, packet(0x82, hex("0001 00") + str("\0"s) + "\0"s)},
        {"no UTF-8", kV311, kMalformed, packet(0x82, hex("0001") + str("a/\xC3") + "\0"s)},
        {"QoS 3", kV5, kProtocol, packet(0x82, hex("0001 00") + str("a") + "\x03")},
        {"[MQTT-3.8.3-4] QoS 3 in 3.1.1", kV311, kMalformed,
         packet(0x82, hex("0001") + str("a") + "\x03")},
        {"[MQTT-3.8.3-4] options in 3.1.1", kV311, kMalformed,
         packet(0x82, hex("0001") + str("a") + "\x04")},
        {"[MQTT-3.8.3-5] reserved bit", kV5, kMalformed,
         packet(0x82, hex("0001 00") + str("a") + "\x40")},
        {"[MQTT-3.8.3-5] reserved bit", kV5, kMalformed,
         packet(0x82, hex("0001 00") + str("a") + "\x80")},
        {"retain handling 3", kV5, kProtocol, packet(0x82, hex("0001 00") + str("a") + "\x30")},
        {"[MQTT-3.8.3-4] no local, shared", kV5, kProtocol,
         packet(0x82, hex("0001 00") + str("$share/g/a") + "\x05")},
        {"a fault in the second filter", kV5, kProtocol,
         packet(0x82, hex("0001 00") + str("a") + "\0"s + str("b") + "\x03")},
        {"subscription id 0", kV5, kProtocol,
         packet(0x82, hex("0001 02 0B 00") + str("a") + "\0"s)},
        {"subscription id twice", kV5, kProtocol,
         packet(0x82, hex("0001 04 0B 01 0B 02") + str("a") + "\0"s)},
        {"subscription id of five bytes", kV5, kMalformed,
         packet(0x82, hex("0001 06 0B FF FF FF FF 01") + str("a") + "\0"s)},
        {"property of other packets", kV5, kMalformed,
         packet(0x82, hex("0001 03 1F 0000") + str("a") + "\0"s)},
        {"[MQTT-3.10.3-2] nothing to unsubscribe", kV5, kProtocol, packet(0xA2, hex("0001 00"))},
        {"[MQTT-3.10.3-2] nothing to unsubscribe", kV311, kProtocol, packet(0xA2, hex("0001"))},
        {"UNSUBSCRIBE with packet id 0", kV311, kProtocol, packet(0xA2, hex("0000") + str("a"))},
        {"UNSUBSCRIBE, NUL", kV311, kMalformed, packet(0xA2, hex("0001") + str("\0"s))},
        {"UNSUBSCRIBE, filter cut off", kV311, kMalformed, packet(0xA2, hex("0001 0002 61"))},
        {"UNSUBSCRIBE with a subscription id", kV5, kMalformed,
         packet(0xA2, hex("0001 02 0B 01") + str("a"))},
    });
}

TEST(Malformed, DisconnectAndAuth) {
    const std::string method = hex("15 0001 6D");
    check({
        {"DISCONNECT with a reason in 3.1.1", kV311, kMalformed, hex("E0 01 00")},
        {"a reason of other packets", kV5, kProtocol, hex("E0 01 01")},
        {"expiry twice", kV5, kProtocol, packet(0xE0, hex("00 0A 11 00000001 11 00000001"))},
        {"server reference of a client", kV5, kMalformed, packet(0xE0, hex("00 04 1C 0001 61"))},
        {"properties beyond the packet", kV5, kMalformed, packet(0xE0, hex("00 04 1F 0000"))},
        {"bytes behind the properties", kV5, kMalformed, packet(0xE0, hex("00 00 00"))},
        {"AUTH of a client with success", kV5, kProtocol, hex("F0 00")},
        {"AUTH of a client with success", kV5, kProtocol, packet(0xF0, "\0"s + block(method))},
        {"AUTH without method", kV5, kProtocol, packet(0xF0, hex("18 00"))},
        {"AUTH without properties", kV5, kMalformed, packet(0xF0, hex("18"))},
        {"AUTH with another reason", kV5, kProtocol, packet(0xF0, "\x80" + block(method))},
        {"AUTH with method twice", kV5, kProtocol, packet(0xF0, "\x18" + block(method + method))},
        {"AUTH with data only", kV5, kProtocol, packet(0xF0, hex("18 04 16 0001 61"))},
        {"AUTH with other bytes", kV5, kMalformed, packet(0xF0, "\x18" + block(method) + "x")},
        {"AUTH with other properties", kV5, kMalformed,
         packet(0xF0, "\x18" + block(method + hex("11 00000001")))},
    });
}

TEST(Malformed, WhatServersSend) {
    check(
        {
            {"CONNACK flags", kV5, kMalformed, hex("20 03 02 00 00")},
            {"CONNACK flags", kV311, kMalformed, hex("20 02 80 00")},
            {"CONNACK with an unknown code", kV311, kProtocol, hex("20 02 00 06")},
            {"CONNACK with a reason of others", kV5, kProtocol, hex("20 03 00 92 00")},
            {"[MQTT-3.2.2-6] session of a refused client", kV5, kProtocol, hex("20 03 01 87 00")},
            {"[MQTT-3.2.2-6] session of a refused client", kV311, kProtocol, hex("20 02 01 05")},
            {"maximum QoS 2", kV5, kProtocol, hex("20 05 00 00 02 24 02")},
            {"retain available 2", kV5, kProtocol, hex("20 05 00 00 02 25 02")},
            {"receive maximum 0", kV5, kProtocol, hex("20 06 00 00 03 21 00 00")},
            {"bytes behind CONNACK", kV5, kMalformed, hex("20 04 00 00 00 00")},
            {"bytes behind CONNACK", kV311, kMalformed, hex("20 03 00 00 00")},
            {"SUBACK without reasons", kV5, kProtocol, hex("90 03 0001 00")},
            {"SUBACK with others' reasons", kV5, kProtocol, hex("90 04 0001 00 11")},
            {"SUBACK with others' reasons", kV311, kProtocol, hex("90 03 0001 87")},
            {"UNSUBACK with reasons in 3.1.1", kV311, kMalformed, hex("B0 03 0001 00")},
            {"UNSUBACK with others' reasons", kV5, kProtocol, hex("B0 04 0001 00 01")},
            {"[MQTT-3.14.2-2] expiry", kV5, kMalformed, packet(0xE0, hex("00 05 11 00000001"))},
            {"a server does not re-authenticate", kV5, kProtocol,
             packet(0xF0, hex("19 04 15 0001 6D"))},
            {"subscription id 0", kV5, kProtocol, publish_v5(hex("0B 00"))},
            {"subscription id cut off", kV5, kMalformed, publish_v5(hex("0B 80"))},
        },
        Sender::server);
}

}  // namespace
}  // namespace trestle::mqtt
