// Packets byte for byte, as the specifications show them or by hand from their tables.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "bytes.h"
#include "core/properties.h"
#include "mqtt/codec/decode.h"
#include "mqtt/codec/encode.h"

namespace trestle::mqtt {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using testing::block;
using testing::hex;
using testing::packet;
using testing::str;

Frame frame_of(const std::string& bytes, Version version = Version::v5) {
    Frame frame;
    Fault fault;
    EXPECT_EQ(read_frame(bytes, kLargestPacket, version, frame, fault), FrameStatus::ready)
        << (fault ? fault.sentence : "");
    EXPECT_EQ(frame.size, bytes.size());
    return frame;
}

TEST(Vectors, ConnectOfV311) {
    // 3.1.1 figure 3.6: user name, password, will retained at QoS 1, clean session, keep alive 10.
    const std::string bytes =
        packet(0x10, hex("0004 4D515454 04 EE 000A") + str("dev") + str("w/t") + str("gone\0"s) +
                         str("user") + str("\xFF\0"s));
    Connect connect;
    std::string scratch;
    const Fault fault = decode_connect(frame_of(bytes), connect, scratch);
    ASSERT_FALSE(fault) << fault.sentence;
    EXPECT_EQ(connect.version, Version::v311);
    EXPECT_TRUE(connect.clean_start);
    EXPECT_EQ(connect.keep_alive, 10);
    EXPECT_EQ(connect.client_id, "dev");
    ASSERT_TRUE(connect.will);
    EXPECT_EQ(connect.will->topic, "w/t");
    EXPECT_EQ(connect.will->payload, "gone\0"s);
    EXPECT_EQ(connect.will->qos, 1);
    EXPECT_TRUE(connect.will->retain);
    EXPECT_EQ(connect.user_name, "user");
    EXPECT_EQ(connect.password, "\xFF\0"s);
    OutBuffer out;
    EXPECT_EQ(encode_connect(out, connect), bytes.size());
    EXPECT_EQ(out.view(), bytes);
}

TEST(Vectors, ConnectOfV31MayHaveTheReservedFlag) {
    const std::string bytes = packet(0x10, str("MQIsdp") + hex("03 03 FFFF") + str("x"));
    Connect connect;
    std::string scratch;
    ASSERT_FALSE(decode_connect(frame_of(bytes), connect, scratch));
    EXPECT_EQ(connect.version, Version::v31);
    EXPECT_EQ(connect.keep_alive, 65535);
    EXPECT_EQ(connect.client_id, "x");
}

TEST(Vectors, ConnectOfV5MayHaveAPasswordAloneAndNoClientId) {
    const std::string bytes =
        packet(0x10, str("MQTT") + hex("05 40 0000") + block("") + str("") + str("secret"));
    Connect connect;
    std::string scratch;
    ASSERT_FALSE(decode_connect(frame_of(bytes), connect, scratch));
    EXPECT_FALSE(connect.clean_start);
    EXPECT_FALSE(connect.user_name);
    EXPECT_EQ(connect.password, "secret");
}

TEST(Vectors, EmptyClientIdWithCleanSession) {
    const std::string bytes = packet(0x10, str("MQTT") + hex("04 02 003C") + str(""));
    Connect connect;
    std::string scratch;
    EXPECT_FALSE(decode_connect(frame_of(bytes), connect, scratch));  // [MQTT-3.1.3-6]
}

TEST(Vectors, PublishOfV311) {
    // 3.1.1 figure 3.11 (topic a/b, packet identifier 10), with a payload and all flags.
    const std::string bytes = hex("3B 0A 0003 61 2F 62 000A 68 69 21");
    Publish publish;
    std::string scratch;
    ASSERT_FALSE(decode_publish(Version::v311, frame_of(bytes), publish, scratch));
    EXPECT_EQ(publish.topic, "a/b");
    EXPECT_EQ(publish.packet_id, 10);
    EXPECT_EQ(publish.qos, 1);
    EXPECT_TRUE(publish.dup);
    EXPECT_TRUE(publish.retain);
    EXPECT_EQ(publish.payload, "hi!");
    EXPECT_EQ(publish.payload.data(), bytes.data() + 9) << "the payload is not copied";
    OutBuffer out;
    EXPECT_EQ(encode_publish(out, Version::v311, publish), bytes.size());
    EXPECT_EQ(out.view(), bytes);
}

TEST(Vectors, PublishOfV5) {
    const std::string bytes =
        hex("34 1B 0003 61 2F 62 000A 10 02 0000001E 23 0007 01 01 26 0001 6B 0000 68 69 21");
    Publish publish;
    std::string scratch;
    ASSERT_FALSE(decode_publish(Version::v5, frame_of(bytes), publish, scratch));
    EXPECT_EQ(publish.qos, 2);
    EXPECT_EQ(publish.message_expiry, 30U);
    EXPECT_EQ(publish.topic_alias, 7);
    EXPECT_EQ(publish.properties, hex("01 01 26 0001 6B 0000"));
    EXPECT_EQ(publish.payload, "hi!");
    OutBuffer out;
    EXPECT_EQ(encode_publish(out, Version::v5, publish), bytes.size());
    EXPECT_EQ(out.view(), bytes);
}

TEST(Vectors, PublishBorrowsPropertiesThatLieTogether) {
    const std::string application = hex("01 01 26 0001 6B 0000 03 0001 74");
    const std::string expiry = hex("02 00000005");
    const std::string alias = hex("23 0001");
    std::string scratch = "untouched";
    for (const auto& properties :
         {application, expiry + application, application + expiry, alias + application + expiry}) {
        const std::string bytes = packet(0x30, str("t") + block(properties));
        Publish publish;
        ASSERT_FALSE(decode_publish(Version::v5, frame_of(bytes), publish, scratch));
        EXPECT_EQ(publish.properties, application);
        EXPECT_GE(publish.properties.data(), bytes.data());
        EXPECT_LT(publish.properties.data(), bytes.data() + bytes.size());
        EXPECT_EQ(scratch, "untouched");
    }
}

TEST(Vectors, PublishGathersPropertiesThatAreMixed) {
    const std::string bytes = packet(
        0x30,
        str("") + block(hex("26 0001 61 0001 31 02 00000005 26 0001 61 0001 32 23 0001 01 01")));
    Publish publish;
    std::string scratch = "old";
    ASSERT_FALSE(decode_publish(Version::v5, frame_of(bytes), publish, scratch));
    EXPECT_EQ(publish.properties, hex("26 0001 61 0001 31 26 0001 61 0001 32 01 01"));
    EXPECT_EQ(publish.properties.data(), scratch.data());
    EXPECT_EQ(publish.message_expiry, 5U);
    EXPECT_EQ(publish.topic_alias, 1);
    EXPECT_EQ(publish.topic, "");
}

TEST(Vectors, PublishToAClientHasSubscriptionIdentifiers) {
    const std::vector<uint32_t> ids{1, 128, 268'435'455};
    Publish publish;
    publish.topic = "t";
    publish.subscription_ids = ids;
    OutBuffer out;
    EXPECT_NE(encode_publish(out, Version::v5, publish), 0U);
    const std::string expected = hex("30 0E 0001 74 0A 0B 01 0B 80 01 0B FF FF FF 7F");
    EXPECT_EQ(out.view(), expected);
    Publish again;
    std::string scratch;
    std::vector<uint32_t> found{99};
    ASSERT_FALSE(decode_publish(Version::v5, frame_of(expected), again, scratch, &found));
    EXPECT_EQ(found, ids);
    EXPECT_EQ(again.subscription_ids.data(), found.data());
}

TEST(Vectors, PublishThatDoesNotFitIsNotWritten) {
    Publish publish;
    publish.topic = "abc";
    publish.payload = "12345";
    const size_t size = publish_size(Version::v5, publish);
    EXPECT_EQ(size, 13U);
    OutBuffer out;
    EXPECT_EQ(encode_publish(out, Version::v5, publish, size - 1), 0U);
    EXPECT_TRUE(out.empty());
    EXPECT_EQ(encode_publish(out, Version::v5, publish, size), size);
    const std::string long_topic(65536, 't');
    publish.topic = long_topic;
    EXPECT_EQ(publish_size(Version::v311, publish), 0U);
    EXPECT_EQ(encode_publish(out, Version::v311, publish), 0U);
    EXPECT_EQ(out.size(), size);
}

TEST(Vectors, RemainingLengthsOfEverySize) {
    // Table 2-1: where the number of bytes changes.
    for (const size_t length : {127U, 128U, 16'383U, 16'384U, 2'097'151U, 2'097'152U}) {
        const std::string payload(length - 3, 'p');
        Publish publish;
        publish.topic = "t";
        publish.payload = payload;
        OutBuffer out;
        const size_t size = encode_publish(out, Version::v311, publish);
        EXPECT_EQ(out.view(), packet(0x30, str("t") + payload));
        Frame frame;
        Fault fault;
        for (size_t part = 0; part < size; part += part < 8 ? 1 : size / 7) {
            EXPECT_EQ(
                read_frame(out.view().substr(0, part), kLargestPacket, Version::v311, frame, fault),
                FrameStatus::need_more);
        }
        EXPECT_EQ(read_frame(out.view(), kLargestPacket, Version::v311, frame, fault),
                  FrameStatus::ready);
        EXPECT_EQ(frame.body.size(), length);
    }
}

std::string ack(Version version, PacketType type, const Ack& packet,
                size_t maximum = kLargestPacket) {
    OutBuffer out;
    encode_ack(out, version, type, packet, maximum);
    return std::string(out.view());
}

TEST(Vectors, Acknowledgements) {
    Ack packet;
    packet.packet_id = 0x1234;
    EXPECT_EQ(ack(Version::v311, PacketType::puback, packet), hex("40 02 1234"));
    EXPECT_EQ(ack(Version::v5, PacketType::pubrec, packet), hex("50 02 1234"));
    EXPECT_EQ(ack(Version::v5, PacketType::pubrel, packet), hex("62 02 1234"));
    EXPECT_EQ(ack(Version::v311, PacketType::pubcomp, packet), hex("70 02 1234"));
    packet.reason = Reason::quota_exceeded;
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet), hex("40 03 1234 97"));
    EXPECT_EQ(ack(Version::v311, PacketType::puback, packet), hex("40 02 1234"));
    packet.reason_string = "no";
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet), hex("40 09 1234 97 05 1F 0002 6E 6F"));
    const std::string user = hex("26 0001 61 0000");
    packet.user_properties = UserProperties(user);
    const std::string whole = hex("40 0F 1234 97 0B 1F 0002 6E 6F 26 0001 61 0000");
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet), whole);
    // [MQTT-3.4.2-2], [MQTT-3.4.2-3]: what does not fit is left out, user properties first.
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet, whole.size()), whole);
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet, whole.size() - 1),
              hex("40 09 1234 97 05 1F 0002 6E 6F"));
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet, 10), hex("40 03 1234 97"));
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet, 5), hex("40 03 1234 97"));
    EXPECT_EQ(ack(Version::v5, PacketType::puback, packet, 4), "");
    OutBuffer out;
    encode_ack(out, PacketType::puback, 1);
    encode_ack(out, PacketType::pubrel, 2);
    EXPECT_EQ(out.view(), hex("40 02 0001 62 02 0002"));
}

TEST(Vectors, AcknowledgementsWithSuccessSpelledOut) {
    Ack packet;
    for (const auto* bytes : {"40 02 0001", "40 03 0001 00", "40 04 0001 00 00", "40 03 0001 10"}) {
        const std::string whole = hex(bytes);
        ASSERT_FALSE(decode_ack(Version::v5, frame_of(whole), packet)) << bytes;
        EXPECT_EQ(packet.packet_id, 1);
        EXPECT_FALSE(is_error(packet.reason));
    }
    EXPECT_EQ(packet.reason, Reason::no_matching_subscribers);
}

TEST(Vectors, ConnackOfV311) {
    const auto connack = [](Version version, bool session, Reason reason) {
        OutBuffer out;
        encode_connack(out, version, {session, reason, {}});
        return std::string(out.view());
    };
    EXPECT_EQ(connack(Version::v311, true, Reason::success), hex("20 02 01 00"));
    EXPECT_EQ(connack(Version::v31, true, Reason::success), hex("20 02 00 00"));
    EXPECT_EQ(connack(Version::v311, false, Reason::unsupported_protocol_version),
              hex("20 02 00 01"));
    EXPECT_EQ(connack(Version::v311, false, Reason::client_identifier_not_valid),
              hex("20 02 00 02"));
    EXPECT_EQ(connack(Version::v311, false, Reason::server_busy), hex("20 02 00 03"));
    EXPECT_EQ(connack(Version::v311, false, Reason::bad_user_name_or_password), hex("20 02 00 04"));
    EXPECT_EQ(connack(Version::v311, true, Reason::not_authorized), hex("20 02 00 05"));
    EXPECT_EQ(connack(Version::v311, false, Reason::malformed_packet), "");
    EXPECT_EQ(connack(Version::v5, true, Reason::success), hex("20 03 01 00 00"));
    EXPECT_EQ(connack(Version::v5, true, Reason::malformed_packet), hex("20 03 00 81 00"));
}

TEST(Vectors, ConnackOfV5) {
    Connack packet;
    packet.properties.receive_maximum = 20;
    packet.properties.assigned_client_identifier = "id";
    packet.properties.shared_subscription_available = false;
    packet.properties.reason_string = "fine";
    OutBuffer out;
    const std::string whole = hex("20 14 00 00 11 21 0014 12 0002 69 64 2A 00 1F 0004 66 69 6E 65");
    EXPECT_EQ(encode_connack(out, Version::v5, packet), whole.size());
    EXPECT_EQ(out.view(), whole);
    out.clear();
    // [MQTT-3.2.2-19]: without the reason string it fits.
    EXPECT_EQ(encode_connack(out, Version::v5, packet, whole.size() - 1), 15U);
    EXPECT_EQ(out.view(), hex("20 0D 00 00 0A 21 0014 12 0002 69 64 2A 00"));
    EXPECT_EQ(encode_connack(out, Version::v5, packet, 14), 0U);
    const std::string too_long(65536, 'x');
    packet.properties.assigned_client_identifier = too_long;
    EXPECT_EQ(encode_connack(out, Version::v5, packet), 0U);
    EXPECT_EQ(out.size(), 15U);
}

TEST(Vectors, SubscribeOfBothVersions) {
    // 3.1.1 figure 3.23: a/b at QoS 1, c/d at QoS 2.
    const std::string old = hex("82 0E 000A 0003 61 2F 62 01 0003 63 2F 64 02");
    Subscribe subscribe;
    ASSERT_FALSE(decode_subscribe(Version::v311, frame_of(old), subscribe));
    EXPECT_EQ(subscribe.packet_id, 10);
    EXPECT_EQ(subscribe.filters.size(), 2U);
    std::vector<Subscription> filters;
    for (const auto& entry : subscribe.filters) filters.push_back(entry);
    const std::vector<Subscription> expected{{"a/b", 1}, {"c/d", 2}};
    EXPECT_EQ(filters, expected);

    const std::string options = hex("82 0E 000A 03 0B 80 01 0005 61 2F 23 2F 62 2E");
    ASSERT_FALSE(decode_subscribe(Version::v5, frame_of(options), subscribe));
    EXPECT_EQ(subscribe.properties.subscription_identifier, 128U);
    ASSERT_EQ(subscribe.filters.size(), 1U);
    // The syntax of filters is not the codec's concern.
    EXPECT_EQ(*subscribe.filters.begin(), (Subscription{"a/#/b", 2, true, true, 2}));
    // 3.1 repeats with DUP.
    const std::string repeated = hex("8A 06 0001 0001 61 00");
    EXPECT_FALSE(decode_subscribe(Version::v31, frame_of(repeated, Version::v31), subscribe));
}

TEST(Vectors, UnsubscribeAndAnswers) {
    const std::string bytes = hex("A2 0C 000A 0003 61 2F 62 0003 63 2F 64");
    Unsubscribe unsubscribe;
    ASSERT_FALSE(decode_unsubscribe(Version::v311, frame_of(bytes), unsubscribe));
    std::vector<std::string_view> filters;
    for (const auto& entry : unsubscribe.filters) filters.push_back(entry.filter);
    EXPECT_EQ(filters, (std::vector<std::string_view>{"a/b", "c/d"}));

    SubscriptionAck ack;
    ack.packet_id = 10;
    const std::string reasons = hex("01 00 8F 97");
    ack.reasons = reasons;
    OutBuffer out;
    EXPECT_EQ(encode_suback(out, Version::v5, ack), 9U);
    EXPECT_EQ(encode_suback(out, Version::v311, ack), 8U);
    const std::string removed = hex("00 11");
    ack.reasons = removed;
    EXPECT_EQ(encode_unsuback(out, Version::v5, ack), 7U);
    EXPECT_EQ(encode_unsuback(out, Version::v311, ack), 4U);
    EXPECT_EQ(out.view(),
              hex("90 07 000A 00 01 00 8F 97  90 06 000A 01 00 80 80  B0 05 000A 00 00 11"
                  "B0 02 000A"));
}

TEST(Vectors, PingDisconnectAuth) {
    OutBuffer out;
    encode_pingreq(out);
    encode_pingresp(out);
    encode_disconnect(out, Version::v311, {});
    encode_disconnect(out, Version::v5, {});
    encode_disconnect(out, Version::v5, {Reason::session_taken_over, {}});
    encode_auth(out, {});
    EXPECT_EQ(out.view(), hex("C0 00 D0 00 E0 00 E0 00 E0 01 8E F0 00"));
    out.clear();
    Disconnect moved{Reason::server_moved, {}};
    moved.properties.server_reference = "b";
    moved.properties.session_expiry_interval = 5;  // not for a server to send
    EXPECT_EQ(encode_disconnect(out, Version::v5, moved), 8U);
    EXPECT_EQ(out.view(), hex("E0 06 9D 04 1C 0001 62"));
    EXPECT_EQ(encode_disconnect(out, Version::v5, moved, 7), 0U);
    out.clear();
    const Disconnect full{Reason::packet_too_large, {}};
    EXPECT_EQ(encode_disconnect(out, Version::v5, full, 3), 3U);
    EXPECT_EQ(encode_disconnect(out, Version::v5, full, 2), 0U);
    EXPECT_EQ(encode_disconnect(out, Version::v5, {}, 3), 2U);
    Auth auth{Reason::continue_authentication, {}};
    auth.properties.authentication_method = "m";
    auth.properties.authentication_data = "\0"sv;
    out.clear();
    EXPECT_EQ(encode_auth(out, auth), 12U);
    EXPECT_EQ(out.view(), hex("F0 0A 18 08 15 0001 6D 16 0001 00"));
}

TEST(Vectors, ReasonNames) {
    EXPECT_STREQ(reason_name(Reason::session_taken_over), "session taken over");
    EXPECT_STREQ(reason_name(static_cast<Reason>(0x55)), "unknown reason code");
    for (uint8_t code = 0; code <= 5; ++code) {
        EXPECT_EQ(connect_return_code(reason_of_return_code(code)), code);
    }
    // Every reason has a name and a packet.
    for (unsigned code = 0; code < 256; ++code) {
        const auto reason = static_cast<Reason>(code);
        bool allowed = false;
        for (unsigned type = 1; type <= 15; ++type) {
            allowed = allowed || reason_allowed(static_cast<PacketType>(type), reason);
        }
        EXPECT_EQ(allowed, reason_name(reason) != "unknown reason code"s) << code;
    }
}

}  // namespace
}  // namespace trestle::mqtt
