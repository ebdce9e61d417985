// A client's will: what is published in its name when it is gone (MQTT 5.0, 3.1.2.5).
//
// Kept by the connection while there is one; by the session, with a timer, while the will delay
// runs. Used on the session's shard only.
#pragma once

#include <cstdint>
#include <optional>

#include "core/message.h"
#include "core/session_bytes.h"
#include "core/subscriber.h"

namespace trestle {

class HubShard;

struct Will {
    Publisher from;
    MessagePtr message;  // its expiry is counted from the publication on
    uint32_t delay_s = 0;
    std::optional<uint32_t> expiry_s;
    SessionBytes::Part held;

    /// Bytes that it takes; those of `held`, once there is room for them.
    [[nodiscard]] size_t bytes() const {
        return sizeof *this + sizeof *message + message->view().size() + from.client_id.size() +
               from.user.size();
    }
    /// `self`: the client's session, for "no local"; null when it is gone.
    void publish(HubShard& hub, const Subscriber* self);
};

}  // namespace trestle
