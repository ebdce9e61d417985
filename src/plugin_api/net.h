// Listening sockets and streams over them, for plugins. Implemented by the runtime.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "plugin_api/byte_stream.h"
#include "plugin_api/log.h"
#include "plugin_api/uri.h"

namespace trestle {

/// A connected socket that nobody owns yet: a descriptor (non-blocking) and who is there. Closes it
/// unless `release`d.
class Accepted {
 public:
    Accepted(int descriptor, PeerInfo peer) : descriptor_(descriptor), peer_(std::move(peer)) {}
    Accepted(Accepted&& other) noexcept
        : descriptor_(std::exchange(other.descriptor_, -1)), peer_(std::move(other.peer_)) {}
    Accepted& operator=(Accepted&&) = delete;
    ~Accepted();
    int release() { return std::exchange(descriptor_, -1); }
    [[nodiscard]] const PeerInfo& peer() const { return peer_; }

 private:
    int descriptor_;
    PeerInfo peer_;
};

/// Accepts until destroyed (or `close`d). Lives on the shard it was made on.
class Listener {
 public:
    virtual ~Listener() = default;
    virtual void close() = 0;
    /// The port that was bound (when the config said 0).
    [[nodiscard]] virtual uint16_t port() const = 0;
};

/// Binds and listens. Throws std::runtime_error with a sentence that names the address and the
/// cause ("cannot listen on 127.0.0.1:1883: Address already in use"). `accept` is called on
/// `shard`. Connections beyond `descriptors_for_clients` are closed at once, which `log` is told.
std::unique_ptr<Listener> listen(Shard& shard, const Uri& uri, std::function<void(Accepted)> accept,
                                 Log log = {});

/// How many of the process's descriptors may be in use before clients are refused: its limit but
/// for a reserve, so that the admin side can still be asked and files can be read.
size_t descriptors_for_clients() noexcept;

/// What to add to the system's word when binding a TCP address failed with this errno: what would
/// give the right to a port below 1024. Empty for other causes.
std::string_view bind_advice(int error) noexcept;

/// A stream over a connected socket; on the calling shard.
std::unique_ptr<ByteStream> make_socket_stream(Shard& shard, Accepted accepted);

/// A stand-in on `here` for a stream that stays on its own shard; bytes go by mailbox. For streams
/// that cannot move (WebSocket, TLS). Called on the stream's shard; `arrived` runs on `here`.
void make_remote_stream(std::unique_ptr<ByteStream> stream, std::string_view unread, Shard& here,
                        std::function<void(std::unique_ptr<ByteStream>)> arrived);

}  // namespace trestle
