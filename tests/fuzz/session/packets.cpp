// What clients send: valid packets, of choices.
#include <vector>

#include "play.h"

namespace trestle::fuzz {

using namespace mqtt;

namespace {

constexpr std::string_view kTopics[] = {"a/b",    "a",      "a/b/c", "a//c", "longer/topic/of/all",
                                        "$own/x", "$SYS/x", "b"};
constexpr std::string_view kFilters[] = {"#",
                                         "a/#",
                                         "a/+",
                                         "+/b",
                                         "a",
                                         "a/b",
                                         "+",
                                         "$own/#",
                                         "$share/g/a/#",
                                         "$share/g/#",
                                         "$share/h/a/b",
                                         "longer/#",
                                         "a/b/+",
                                         "bad/#/filter",
                                         "$share/g",
                                         "$share/+/a",
                                         "+/+/+",
                                         "b"};
// As property bytes: payload format, content type, a user property.
constexpr std::string_view kProperties[] = {
    {}, {"\x01\x01", 2}, {"\x03\x00\x02tx", 5}, {"\x26\x00\x01k\x00\x01v", 7}};
constexpr uint32_t kMaximumSizes[] = {0, 1 << 20, 40, 100, 300, 9, 2};

}  // namespace

Version Play::version_of(const Client& client) const {
    return client.line != nullptr ? client.line->peer->version() : Version::v5;
}

void Play::connect(Client& client, Manner manner) {
    constexpr Version kVersions[] = {Version::v5, Version::v311, Version::v31, Version::v5};
    constexpr std::string_view kIds[] = {"x", "y", "zz", ""};
    constexpr uint16_t kReceive[] = {0, 1, 2, 3, 65'535};
    constexpr uint32_t kExpiry[] = {0, 5, 60, UINT32_MAX};
    Connect packet;
    const uint8_t flags = input_.byte();
    packet.version = input_.one_of(kVersions);
    packet.client_id = input_.one_of(kIds);
    packet.clean_start = (flags & 1) != 0;
    packet.keep_alive = (flags & 2) != 0 ? 10 : 0;
    if ((flags & 4) != 0) packet.user_name = "user";
    if ((flags & 8) != 0 && packet.user_name) packet.password = "secret";
    auto& p = packet.properties;
    if ((flags & 16) != 0) {
        if (const uint16_t most = input_.one_of(kReceive)) p.receive_maximum = most;
        if (const uint32_t most = input_.one_of(kMaximumSizes)) p.maximum_packet_size = most;
        if (const auto most = static_cast<uint16_t>(input_.below(4))) p.topic_alias_maximum = most;
        p.request_problem_information = input_.below(2) != 0;
    }
    if ((flags & 32) != 0) p.session_expiry_interval = input_.one_of(kExpiry);
    std::string payload;
    if ((flags & 64) != 0) {
        payload = world_.journal().number_of_next();
        auto& will = packet.will.emplace();
        will.topic = input_.one_of(kTopics);
        will.payload = payload;
        const uint8_t more = input_.byte();
        will.qos = more % 3;
        will.retain = (more & 4) != 0;
        if ((more & 8) != 0) will.delay = 7;
        if ((more & 16) != 0) will.message_expiry = 3;
    }
    OutBuffer bytes;
    encode_connect(bytes, packet);
    send(client, bytes, manner);
}

void Play::publish(Client& client, Manner manner) {
    constexpr size_t kSizes[] = {0, 1, 10, 60, 250, 1'200};
    Publish packet;
    const uint8_t flags = input_.byte();
    packet.topic = input_.one_of(kTopics);
    packet.qos = flags % 3;
    packet.retain = (flags & 0x30) == 0x30;
    if (packet.qos != 0) packet.packet_id = static_cast<uint16_t>(1 + input_.below(8));
    std::string payload;
    // Without a number: empty, which clears what is retained.
    if (!packet.retain || (flags & 0x40) != 0) {
        payload = world_.journal().number_of_next();
        payload.append(input_.one_of(kSizes), 'p');
    }
    packet.payload = payload;
    if ((flags & 8) != 0) {
        packet.properties = input_.one_of(kProperties);
        if (input_.once_in(3)) packet.message_expiry = static_cast<uint32_t>(input_.below(4));
        if (input_.once_in(3)) packet.topic_alias = static_cast<uint16_t>(input_.below(4));
        if (packet.topic_alias != 0 && input_.once_in(2)) packet.topic = {};
    }
    OutBuffer bytes;
    const size_t size = encode_publish(bytes, version_of(client), packet);
    if (size != 0) client.last_publish = bytes.view();
    send(client, bytes, manner);
}

void Play::publish_again(Client& client, Manner manner) {
    if (client.last_publish.empty()) return;
    std::string again = client.last_publish;
    if ((again[0] & 6) != 0) again[0] = static_cast<char>(again[0] | 8);
    OutBuffer bytes;
    bytes.append(again);
    send(client, bytes, manner);
}

void Play::subscribe(Client& client, Manner manner) {
    std::vector<Subscription> filters(1 + input_.below(3));
    for (auto& one : filters) {
        const uint8_t options = input_.byte();
        one.filter = input_.one_of(kFilters);
        one.qos = options % 3;
        one.no_local = (options & 16) != 0 && !is_shared(one.filter);
        one.retain_as_published = (options & 32) != 0;
        one.retain_handling = (options >> 6) % 3;
    }
    Properties properties;
    if (input_.once_in(2)) {
        properties.subscription_identifier = static_cast<uint32_t>(1 + input_.below(200));
    }
    OutBuffer bytes;
    encode_subscribe(bytes, version_of(client), static_cast<uint16_t>(1 + input_.below(8)), filters,
                     properties);
    send(client, bytes, manner);
}

void Play::unsubscribe(Client& client, Manner manner) {
    std::vector<std::string_view> filters(1 + input_.below(2));
    for (auto& one : filters) one = input_.one_of(kFilters);
    OutBuffer bytes;
    encode_unsubscribe(bytes, version_of(client), 9, filters);
    send(client, bytes, manner);
}

// What the client owes the server, mostly the oldest and mostly with success.
void Play::answer(Client& client, Manner manner) {
    if (client.line == nullptr) return;
    read_all();
    auto& due = client.line->peer->answers_due();
    if (due.empty()) return;
    const size_t place = input_.once_in(4) ? input_.below(due.size()) : 0;
    const Peer::Answer one = due[place];
    due.erase(due.begin() + static_cast<ptrdiff_t>(place));
    mqtt::Ack ack;
    ack.packet_id = one.packet_id;
    if (input_.once_in(6) && one.type != PacketType::pubcomp) ack.reason = Reason::quota_exceeded;
    OutBuffer bytes;
    encode_ack(bytes, version_of(client), one.type, ack);
    send(client, bytes, manner);
}

void Play::acknowledge_anything(Client& client, Manner manner) {
    constexpr PacketType kTypes[] = {PacketType::puback, PacketType::pubrec, PacketType::pubcomp,
                                     PacketType::pubrel};
    mqtt::Ack ack;
    const PacketType type = input_.one_of(kTypes);
    ack.packet_id = static_cast<uint16_t>(1 + input_.below(12));
    OutBuffer bytes;
    encode_ack(bytes, version_of(client), type, ack);
    send(client, bytes, manner);
}

void Play::release(Client& client, Manner manner) {
    if (client.line == nullptr) return;
    const auto open = client.line->peer->open_handshakes();
    if (open.empty()) return;
    OutBuffer bytes;
    encode_ack(bytes, PacketType::pubrel, open[input_.below(open.size())]);
    send(client, bytes, manner);
}

void Play::say_goodbye(Client& client, Manner manner) {
    constexpr uint32_t kExpiry[] = {0, 5, UINT32_MAX};
    Disconnect packet;
    const uint8_t flags = input_.byte();
    if ((flags & 1) != 0) packet.reason = Reason::disconnect_with_will;
    if ((flags & 2) != 0) packet.properties.session_expiry_interval = input_.one_of(kExpiry);
    OutBuffer bytes;
    encode_disconnect(bytes, version_of(client), packet, kLargestPacket, Sender::client);
    send(client, bytes, manner);
}

// PINGREQ most of all; also what a server sends, AUTH, and no packet at all.
void Play::send_odd_packet(Client& client, Manner manner) {
    const Version version = version_of(client);
    OutBuffer bytes;
    switch (input_.below(12)) {
        case 6: {
            Auth packet;
            packet.reason = Reason::reauthenticate;
            packet.properties.authentication_method = "none";
            encode_auth(bytes, packet);
            break;
        }
        case 7:
            encode_connack(bytes, version, {});
            break;
        case 8: {
            SubscriptionAck packet;
            packet.packet_id = 1;
            packet.reasons = {"\0", 1};
            encode_suback(bytes, version, packet);
            break;
        }
        case 9: {
            SubscriptionAck packet;
            packet.packet_id = 1;
            packet.reasons = {"\0", 1};
            encode_unsuback(bytes, version, packet);
            break;
        }
        case 10:
            encode_pingresp(bytes);
            break;
        case 11: {
            std::string any(input_.below(20), '\0');
            for (char& c : any) c = static_cast<char>(input_.byte());
            bytes.append(any);
            manner.changed = true;
            break;
        }
        default:
            encode_pingreq(bytes);
    }
    send(client, bytes, manner);
}

}  // namespace trestle::fuzz
