// The words that workers' and clients' protocols have in common: who speaks, and how a peer is
// answered. Plain values, any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace trestle::zmq {

/// Told apart by the header frame of each message.
enum class Dialect : uint8_t {
    mdp1,    ///< Majordomo 0.1 (ZeroMQ RFC 7)
    mdp2,    ///< Majordomo 0.2 (RFC 18)
    native,  ///< Trestle's own, plugins/zmq/PROTOCOL.md
};

/// Where the answer to a client goes.
struct ClientAddress {
    std::string peer;                   ///< routing id
    std::vector<std::string> envelope;  ///< frames before the header, for a REQ socket
    Dialect dialect = Dialect::mdp1;
    std::string service;                          ///< as the client named it
    std::shared_ptr<const void> place = nullptr;  ///< what it holds of its client's share
    bool has_gap = false;  ///< part of the answer was lost: so is the rest, or it would look whole
};

}  // namespace trestle::zmq
