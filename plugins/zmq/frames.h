// How a message lies in the frames of a ZeroMQ message: the endpoint's `format`.
//
// Pure functions over borrowed bytes, any thread. The payload is always the last frame.
//
//   topic_payload   [key][payload]
//   single          [key separator payload]
//   payload         [payload]
//   full            [key][meta][payload]     meta: see zmq/meta.h
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace trestle::zmq {

enum class Format : uint8_t { topic_payload, single, payload, full };

struct FrameFormat {
    Format format = Format::topic_payload;
    std::string separator = " ";  ///< of `single`; not empty
};

/// What to send: up to three frames, or one frame that is the parts in a row.
struct OutgoingFrames {
    std::array<std::string_view, 3> parts;
    uint8_t count = 0;
    bool is_joined = false;

    [[nodiscard]] size_t size() const {
        return parts[0].size() + parts[1].size() + parts[2].size();
    }
};

/// The views are borrowed from the arguments. `meta` counts in `full` only.
OutgoingFrames make_frames(const FrameFormat& format, std::string_view key, std::string_view meta,
                           std::string_view payload);

struct IncomingFrames {
    std::string_view key;  ///< empty with the format `payload`
    std::string_view meta;
    std::string_view payload;
};

/// No format has more.
inline constexpr size_t kMostFrames = 3;

/// Nothing when the frames are not of this format: too few, too many, no separator.
std::optional<IncomingFrames> split_frames(const FrameFormat& format,
                                           std::span<const std::string_view> frames);

}  // namespace trestle::zmq
