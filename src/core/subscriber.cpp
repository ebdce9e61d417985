#include "core/subscriber.h"

namespace trestle {

Ack Delivery::defer() {
    if (waiter_ == nullptr) return {};
    if (!pending_) {
        pending_ = new PendingAck(home_, *waiter_, token_);
        own_share_ = Ack(pending_);
    }
    return Ack(pending_);
}

}  // namespace trestle
