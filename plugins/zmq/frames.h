// How a message lies in the frames of a ZeroMQ message: the endpoint's `format`.
//
// Pure functions over borrowed bytes, any thread. The payload is always the last frame.
//
//   topic_payload   [key][payload]
//   single          [key separator payload]
//   payload         [payload]
//   full            [key][meta][payload]     meta: see zmq/meta.h
//
// With a sequence, `topic_payload` is [key][sequence][payload] (zmq/sequence.h). With a terminator,
// keys end with NUL; outward, routes render them so.
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
    bool has_sequence = false;    ///< of `topic_payload`, outward only
    bool has_terminator = false;
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

/// The views are borrowed from the arguments. `meta` counts in `full` only; with a sequence it is
/// that frame.
OutgoingFrames make_frames(const FrameFormat& format, std::string_view key, std::string_view meta,
                           std::string_view payload);

/// What subscribers choose by: the first frame, as far as `most` bytes are enough. In `buffer` when
/// it has to be put together.
std::string_view first_frame(const FrameFormat& format, std::string_view key,
                             std::string_view payload, size_t most, std::string& buffer);

struct IncomingFrames {
    std::string_view key;  ///< empty with the format `payload`
    std::string_view meta;
    std::string_view payload;
};

/// No format has more.
inline constexpr size_t kMostFrames = 3;

/// Nothing when the frames are not of this format: too few, too many, no separator or terminator.
std::optional<IncomingFrames> split_frames(const FrameFormat& format,
                                           std::span<const std::string_view> frames);

}  // namespace trestle::zmq
