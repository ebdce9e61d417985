// Several frames in one string: each with its length in four bytes in front.
//
// What a client asks a service for is kept as one message until a worker takes it. Pure functions;
// `unpack_frames` borrows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trestle::zmq {

std::string pack_frames(std::span<const std::string_view> frames);
/// Appends; ends at the first thing that makes no sense.
void unpack_frames(std::string_view packed, std::vector<std::string_view>& out);

}  // namespace trestle::zmq
