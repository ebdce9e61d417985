#include "core/will.h"

#include "core/hub.h"

namespace trestle {

void Will::publish(HubShard& hub, const Subscriber* self) {
    MessageView view = message->view();
    if (expiry_s) view.expires_at_ms = hub.now_ms() + uint64_t{*expiry_s} * 1000;
    from.self = self;
    hub.publish(view, from);
}

}  // namespace trestle
