// A WebSocket as a byte stream: the binary messages' contents, one behind the other.
//
// The stream stays on the shard that it was accepted on; moved, it is reached by mailbox. What is
// written in one turn leaves as one message (of at most 64 KiB, then another). A frame of text
// closes the connection [MQTT-6.0.0-1]; where messages begin and end means nothing [MQTT-6.0.0-2].
#pragma once

#include <memory>

#include "plugin_api/byte_stream.h"
#include "websocket/connection.h"

namespace trestle::websocket {

/// `connection` delivers as a stream.
std::unique_ptr<ByteStream> make_websocket_stream(std::unique_ptr<Connection> connection);

}  // namespace trestle::websocket
