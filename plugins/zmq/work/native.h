// Trestle's own worker protocol, version 1 (plugins/zmq/PROTOCOL.md): from frames to words, and
// back.
//
// Pure functions over borrowed bytes, any thread. Frames are those behind the routing id that a
// ROUTER puts in front. Bad input is an answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "zmq/work/mdp.h"

namespace trestle::zmq {

struct NativeMessage {
    enum class Kind : uint8_t {
        bad,
        hello,
        window,
        ack,
        reply,
        partial,
        nack,
        extend,
        publish,
        heartbeat,
        bye,
        release,
    };

    Kind kind = Kind::bad;
    uint32_t window = 0;       ///< of `hello` and `window`
    uint32_t bundle = 1;       ///< of `hello`: jobs in one message
    uint32_t delay_ms = 0;     ///< of `nack`
    bool for_good = false;     ///< of `nack`
    uint64_t publish_id = 0;   ///< of `publish`
    std::string_view tags;     ///< one or more; see `tag_at`
    std::string_view service;  ///< of `hello`
    FrameView body;            ///< the frames behind the head

    [[nodiscard]] size_t tag_count() const { return tags.size() / 8; }
    [[nodiscard]] uint64_t tag_at(size_t i) const;
};

/// Whether a message with this first frame is one of this protocol, of whatever version.
bool is_native(std::string_view head);
NativeMessage read_native(FrameView frames);

// Heads of messages to a worker; each is the first frame behind the routing id.
std::string native_welcome(uint32_t heartbeat_ms, uint32_t lease_ms, uint32_t window);
std::string native_deliver(uint64_t tag, uint32_t attempt);

/// Several jobs in one message of two frames: what is known of each, and the frames of all.
class NativeBundle {
 public:
    void clear();
    void add(uint64_t tag, uint32_t attempt, FrameView frames);
    [[nodiscard]] std::string_view head() const { return head_; }
    [[nodiscard]] std::string_view frames() const { return frames_; }

 private:
    std::string head_;
    std::string frames_;
};

std::string native_published(uint64_t publish_id, std::string_view status);
std::string native_heartbeat();
std::string native_close();

}  // namespace trestle::zmq
