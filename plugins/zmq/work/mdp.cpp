#include "zmq/work/mdp.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace trestle::zmq {

namespace {

constexpr std::string_view kClient1 = "MDPC01";
constexpr std::string_view kWorker1 = "MDPW01";
constexpr std::string_view kClient2 = "MDPC02";
constexpr std::string_view kWorker2 = "MDPW02";
// A REQ socket puts one or two frames in front; proxies between add one each.
constexpr size_t kMostEnvelope = 8;
// They are routing ids and numbers of requests. A request that waits keeps them.
constexpr size_t kLongestEnvelopeFrame = 255;
constexpr size_t kTagText = 16;

using Kind = PeerMessage::Kind;

// The commands of a worker, by their byte from 1.
constexpr std::array<Kind, 5> kCommands1{Kind::ready, Kind::bad, Kind::reply, Kind::heartbeat,
                                         Kind::disconnect};
constexpr std::array<Kind, 6> kCommands2{Kind::ready, Kind::bad,       Kind::partial,
                                         Kind::reply, Kind::heartbeat, Kind::disconnect};
constexpr std::string_view kRequest = "\x02";
constexpr std::string_view kHeartbeat1 = "\x04";
constexpr std::string_view kHeartbeat2 = "\x05";
constexpr std::string_view kDisconnect1 = "\x05";
constexpr std::string_view kDisconnect2 = "\x06";
constexpr std::string_view kPartial = "\x02";
constexpr std::string_view kFinal = "\x03";

bool is_header(std::string_view frame) {
    return frame == kClient1 || frame == kWorker1 || frame == kClient2 || frame == kWorker2;
}

void read_request(FrameView frames, PeerMessage& message) {
    if (frames.size() < 2 || frames[0].empty()) return;
    message.kind = Kind::request;
    message.service = frames[0];
    message.body = frames.subspan(1);
}

void read_answer(FrameView frames, Kind kind, PeerMessage& message) {
    if (frames.empty()) return;
    if (frames.size() > 1 && !frames[1].empty()) return;
    message.kind = kind;
    message.tag = frames[0];
    message.body = frames.subspan(std::min<size_t>(2, frames.size()));
}

void read_worker(FrameView frames, std::span<const Kind> commands, PeerMessage& message) {
    if (frames.empty() || frames[0].size() != 1) return;
    const auto number = static_cast<unsigned char>(frames[0][0]);
    if (number == 0 || number > commands.size()) return;
    const Kind kind = commands[number - 1U];
    const FrameView rest = frames.subspan(1);
    switch (kind) {
        case Kind::ready:
            if (rest.size() != 1 || rest[0].empty()) return;
            message.service = rest[0];
            message.kind = kind;
            return;
        case Kind::reply:
        case Kind::partial:
            return read_answer(rest, kind, message);
        case Kind::heartbeat:
        case Kind::disconnect:
            message.kind = kind;
            return;
        default:
            return;
    }
}

}  // namespace

PeerMessage read_mdp(FrameView frames) {
    PeerMessage message;
    size_t place = 0;
    if (frames.empty()) return message;
    if (frames.size() == 1 && frames[0].empty()) {
        message.kind = Kind::nothing;
        return message;
    }
    if (!is_header(frames[0])) {
        const FrameView head = frames.first(std::min(frames.size(), kMostEnvelope));
        const auto empty = std::ranges::find(head, std::string_view());
        if (empty == head.end()) return message;
        place = static_cast<size_t>(empty - head.begin()) + 1;
        if (place == frames.size()) return message;
        message.envelope = frames.first(place);
        const auto is_too_long = [](auto frame) { return frame.size() > kLongestEnvelopeFrame; };
        if (std::ranges::any_of(message.envelope, is_too_long)) return message;
    }
    const std::string_view header = frames[place];
    const FrameView rest = frames.subspan(place + 1);
    if (header == kClient1) {
        read_request(rest, message);
    } else if (header == kWorker1) {
        read_worker(rest, kCommands1, message);
    } else if (header == kClient2) {
        message.dialect = Dialect::mdp2;
        if (!rest.empty() && rest[0] == "\x01") read_request(rest.subspan(1), message);
    } else if (header == kWorker2) {
        message.dialect = Dialect::mdp2;
        read_worker(rest, kCommands2, message);
    }
    return message;
}

namespace {

void begin_worker(Dialect dialect, std::string_view peer, std::string_view command1,
                  std::string_view command2, FrameList& out) {
    out.clear();
    out.push_back(peer);
    if (dialect == Dialect::mdp1) {
        out.insert(out.end(), {std::string_view(), kWorker1, command1});
    } else {
        out.insert(out.end(), {kWorker2, command2});
    }
}

}  // namespace

void begin_mdp_request(Dialect dialect, std::string_view peer, std::string_view tag,
                       FrameList& out) {
    begin_worker(dialect, peer, kRequest, kRequest, out);
    out.insert(out.end(), {tag, std::string_view()});
}

void write_mdp_heartbeat(Dialect dialect, std::string_view peer, FrameList& out) {
    begin_worker(dialect, peer, kHeartbeat1, kHeartbeat2, out);
}

void write_mdp_disconnect(Dialect dialect, std::string_view peer, FrameList& out) {
    begin_worker(dialect, peer, kDisconnect1, kDisconnect2, out);
}

void begin_mdp_answer(const ClientAddress& client, bool is_final, FrameList& out) {
    out.clear();
    out.push_back(client.peer);
    for (const auto& frame : client.envelope) out.push_back(frame);
    if (client.dialect == Dialect::mdp1) {
        out.push_back(kClient1);
    } else {
        out.insert(out.end(), {kClient2, is_final ? kFinal : kPartial});
    }
    out.push_back(client.service);
}

std::string write_tag(uint64_t tag) {
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text(kTagText, '0');
    for (size_t i = kTagText; i > 0; --i, tag >>= 4U) text[i - 1] = kHex[tag & 15U];
    return text;
}

std::optional<uint64_t> read_tag(std::string_view text) {
    if (text.size() != kTagText) return {};
    uint64_t tag = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), tag, 16);
    if (error != std::errc() || end != text.data() + text.size()) return {};
    return tag;
}

}  // namespace trestle::zmq
