#include "zmq/work/packed_frames.h"

#include <cstdint>
#include <cstring>

namespace trestle::zmq {

std::string pack_frames(std::span<const std::string_view> frames) {
    std::string packed;
    size_t size = 0;
    for (const auto frame : frames) size += sizeof(uint32_t) + frame.size();
    packed.reserve(size);
    for (const auto frame : frames) {
        const auto length = static_cast<uint32_t>(frame.size());
        packed.append(reinterpret_cast<const char*>(&length), sizeof length);
        packed.append(frame);
    }
    return packed;
}

void unpack_frames(std::string_view packed, std::vector<std::string_view>& out) {
    uint32_t length = 0;
    while (packed.size() >= sizeof length) {
        std::memcpy(&length, packed.data(), sizeof length);
        packed.remove_prefix(sizeof length);
        if (length > packed.size()) return;
        out.push_back(packed.substr(0, length));
        packed.remove_prefix(length);
    }
}

}  // namespace trestle::zmq
