// The Majordomo protocol, 0.1 (ZeroMQ RFC 7) and 0.2 (RFC 18): from frames to words, and back.
//
// Pure functions over borrowed bytes, any thread. Frames are those behind the routing id that a
// ROUTER puts in front. Bad input is an answer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "zmq/work/protocol.h"

namespace trestle::zmq {

using FrameView = std::span<const std::string_view>;

struct PeerMessage {
    enum class Kind : uint8_t {
        nothing,  ///< a probe: an empty message
        bad,
        request,  ///< of a client, to a service
        ready,    ///< the rest is of workers
        reply,    ///< the whole answer, or its end
        partial,
        heartbeat,
        disconnect,
    };

    Kind kind = Kind::bad;
    Dialect dialect = Dialect::mdp1;
    FrameView envelope;        ///< what a REQ socket put in front, to be put in front of the answer
    std::string_view service;  ///< of `ready` and `request`
    std::string_view tag;      ///< of `reply` and `partial`
    FrameView body;
};

PeerMessage read_mdp(FrameView frames);

/// The frames of one message to a peer, borrowed; the routing id comes first.
using FrameList = std::vector<std::string_view>;

/// A worker's REQUEST; the job's body comes behind.
void begin_mdp_request(Dialect dialect, std::string_view peer, std::string_view tag,
                       FrameList& out);
void write_mdp_heartbeat(Dialect dialect, std::string_view peer, FrameList& out);
void write_mdp_disconnect(Dialect dialect, std::string_view peer, FrameList& out);
/// An answer to a client, or in 0.2 part of one; the body comes behind.
void begin_mdp_answer(const ClientAddress& client, bool is_final, FrameList& out);

/// Tags travel as text: some workers' strings end at a zero byte.
std::string write_tag(uint64_t tag);
/// Nothing when it is none of ours.
std::optional<uint64_t> read_tag(std::string_view text);

}  // namespace trestle::zmq
