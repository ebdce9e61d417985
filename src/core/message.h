// The message: topic, payload and MQTT 5 properties, protocol-neutral.
//
// `MessageView` borrows everything: it lives on the stack while a message passes through the hub.
// `Message` owns a copy in one block of memory; whoever keeps a message (a queue, an in-flight
// window, the retained store) makes that copy, once, through `Delivery::keep()`. A `Message` is
// immutable and its reference count is atomic, so any thread may read or drop it.
#pragma once

#include <atomic>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <cstdint>
#include <limits>
#include <string_view>

namespace trestle {

enum class Qos : uint8_t { at_most_once = 0, at_least_once = 1, exactly_once = 2 };

/// Number of an endpoint in the config, from 1; 0 is the gateway itself.
using EndpointId = uint16_t;

/// Milliseconds of the steady clock at which a message expires [MQTT-3.3.2-5].
inline constexpr uint64_t kNeverExpires = std::numeric_limits<uint64_t>::max();

struct MessageView {
    std::string_view topic;
    std::string_view payload;
    /// MQTT 5 application properties in wire form (see core/properties.h); not expiry, not aliases.
    std::string_view properties;
    uint64_t expires_at_ms = kNeverExpires;
    EndpointId origin = 0;  ///< where it entered the gateway; a route never sends it back there
    uint8_t hops = 0;       ///< gateways passed so far
    Qos qos = Qos::at_most_once;
    bool retain = false;

    /// What queues and budgets count: the bytes that the copy would hold.
    [[nodiscard]] size_t size() const { return topic.size() + payload.size() + properties.size(); }
};

class Message {
 public:
    static boost::intrusive_ptr<const Message> copy_of(const MessageView& view);

    [[nodiscard]] const MessageView& view() const { return view_; }

    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;

 private:
    explicit Message(const MessageView& view) : view_(view) {}
    ~Message() = default;
    friend void intrusive_ptr_add_ref(const Message* message) noexcept {
        message->references_.fetch_add(1, std::memory_order_relaxed);
    }
    friend void intrusive_ptr_release(const Message* message) noexcept {
        if (message->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) message->destroy();
    }
    void destroy() const noexcept;

    MessageView view_;  // points into the bytes that follow this object
    mutable std::atomic<uint32_t> references_{0};
};

using MessagePtr = boost::intrusive_ptr<const Message>;

}  // namespace trestle
