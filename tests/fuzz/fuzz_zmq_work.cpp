// What peers of a router say: Majordomo and Trestle's own protocol, tags and packed frames.
//
// Input: frames, each with one byte of length in front; the last one is what is left. Whatever is
// read lies within what was given, and survives being packed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "zmq/work/mdp.h"
#include "zmq/work/native.h"
#include "zmq/work/packed_frames.h"

namespace {

using namespace trestle::zmq;

void require(bool holds) {
    if (!holds) std::abort();
}

std::vector<std::string_view> cut(std::string_view input) {
    std::vector<std::string_view> frames;
    while (!input.empty() && frames.size() < 16) {
        const size_t wanted = static_cast<uint8_t>(input[0]);
        input.remove_prefix(1);
        frames.push_back(input.substr(0, wanted));
        input.remove_prefix(frames.back().size());
    }
    if (!input.empty()) frames.push_back(input);
    return frames;
}

void check_mdp(FrameView frames) {
    const PeerMessage message = read_mdp(frames);
    require(message.envelope.size() + message.body.size() <= frames.size());
    if (message.kind == PeerMessage::Kind::ready) require(!message.service.empty());
    if (message.kind == PeerMessage::Kind::request) {
        require(!message.service.empty() && !message.body.empty());
    }
    if (const auto tag = read_tag(message.tag)) require(read_tag(write_tag(*tag)) == tag);
}

void check_native(FrameView frames) {
    const NativeMessage message = read_native(frames);
    if (message.kind != NativeMessage::Kind::bad) require(is_native(frames[0]));
    // Reading each tag is the test: the address sanitizer sees one that lies beyond the frame.
    for (size_t i = 0; i < message.tag_count(); ++i) {
        const volatile uint64_t tag = message.tag_at(i);
        static_cast<void>(tag);
    }
    if (message.kind == NativeMessage::Kind::hello) {
        require(message.window > 0 && !message.service.empty());
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const auto frames = cut(input);
    check_mdp(frames);
    check_native(frames);
    const std::string packed = pack_frames(frames);
    std::vector<std::string_view> again;
    unpack_frames(packed, again);
    require(again == frames);
    again.clear();
    unpack_frames(input, again);
    return 0;
}
