// A WebSocket as a byte stream: the binary messages' contents, one behind the other.
//
// The stream stays on the shard that it was accepted on; moved, it is reached by mailbox. What is
// written in one turn leaves as one message (of at most 64 KiB, then another). A frame of text
// closes the connection [MQTT-6.0.0-1]; where messages begin and end means nothing [MQTT-6.0.0-2].
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

#include "core/counters.h"
#include "plugin_api/byte_stream.h"
#include "websocket/upgrade.h"

namespace trestle::websocket {

using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

/// One of `max_connections`, as long as it lives.
class Slot {
 public:
    explicit Slot(std::shared_ptr<std::atomic<uint32_t>> taken) : taken_(std::move(taken)) {}
    Slot(Slot&&) noexcept = default;
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
        if (taken_) taken_->fetch_sub(1, std::memory_order_relaxed);
    }

 private:
    std::shared_ptr<std::atomic<uint32_t>> taken_;
};

/// What all streams of an endpoint have in common.
struct StreamRules {
    uint64_t handshake_timeout_ms = 10'000;
    uint64_t ping_interval_ms = 0;
    uint64_t max_message_size = 0;
    // Protocol errors of peers.
    Counter* text_frames = nullptr;
    Counter* too_large = nullptr;
    Counter* bad_frames = nullptr;
    Counter* silent = nullptr;  ///< a ping went unanswered
};

/// Says yes to a request that `judge` has agreed to. `done` is called once, later, on the shard:
/// with the stream, or with null when the peer was gone.
void accept_websocket(Shard& shard, Socket socket, PeerInfo peer, const Request& request,
                      std::string_view subprotocol, std::shared_ptr<const StreamRules> rules,
                      Slot slot, std::function<void(std::unique_ptr<ByteStream>)> done);

}  // namespace trestle::websocket
