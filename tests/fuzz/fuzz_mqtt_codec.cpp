// Any bytes through the codec: the first byte chooses version and sender, the rest is a stream.
// What decodes must encode, to nothing longer than it was, and decode to the same again.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "../unit/mqtt/recode.h"
#include "core/properties.h"

namespace {

using namespace trestle;
using namespace trestle::mqtt;

void must(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

/// What an encoder may leave out: an empty reason string, an empty property length, a reason that
/// is success, a will delay of 0.
constexpr size_t kOptionalBytes = 5;

void try_packet(Version version, Sender sender, const Frame& frame) {
    OutBuffer first;
    const Fault fault = mqtt::testing::recode(version, sender, frame, first);
    if (fault) {
        must(is_error(fault.reason), "a fault has an error as its reason");
        must(first.empty(), "a packet that is refused leaves nothing");
        return;
    }
    if (frame.type() == PacketType::connack && first.empty()) return;  // no return code in 3.1.1
    must(first.size() <= frame.size, "it does not get longer");
    must(frame.size - first.size() <= kOptionalBytes, "nothing is lost");
    OutBuffer second;
    must(!mqtt::testing::recode(version, sender, first.view(), second), "it decodes again");
    must(first.view() == second.view(), "and is the same");
}

void try_stream(Version version, Sender sender, std::string_view bytes) {
    for (;;) {
        Frame frame;
        Fault fault;
        const FrameStatus status = read_frame(bytes, 100'000, version, frame, fault);
        if (status == FrameStatus::fault) must(is_error(fault.reason), "a fault has a reason");
        if (status == FrameStatus::need_more)
            must(frame.size == 0 || frame.size > bytes.size(), "more");
        if (status != FrameStatus::ready) return;
        must(frame.size <= bytes.size() && frame.body.size() < frame.size, "the frame is inside");
        try_packet(version, sender, frame);
        bytes.remove_prefix(frame.size);
    }
}

/// The readers of properties take any bytes.
void try_properties(std::string_view bytes) {
    size_t read = 0;
    for (const auto& property : ApplicationProperties(bytes)) {
        read += property.name.size() + property.value.size();
    }
    must(read <= bytes.size(), "application properties stay inside");
    must(UserProperties(bytes).encoded_size() <= bytes.size(), "user properties stay inside");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    constexpr Version kVersions[] = {Version::v5, Version::v311, Version::v31};
    const Version version = kVersions[(data[0] & 0x7FU) % 3];
    const Sender sender = (data[0] & 0x80U) != 0 ? Sender::server : Sender::client;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    try_stream(version, sender, bytes);
    try_properties(bytes);
    return 0;
}
