#include "mqtt/codec/frame.h"

#include "mqtt/codec/faults.h"

namespace trestle::mqtt::frame_detail {

Fault bad_header(uint8_t header, Version version) noexcept {
    if (header >> 4 == 0) return malformed("packet type 0 is reserved");
    if (header >> 4 == 15 && version != Version::v5) {
        return malformed("packet type 15 is reserved in this version");
    }
    return malformed("the reserved flags of the fixed header are wrong");
}

Fault bad_length() noexcept { return malformed("the remaining length is malformed"); }

Fault too_large() noexcept {
    return {Reason::packet_too_large, "the packet is larger than the maximum packet size"};
}

}  // namespace trestle::mqtt::frame_detail
