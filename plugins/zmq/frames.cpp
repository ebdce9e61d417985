#include "zmq/frames.h"

namespace trestle::zmq {

OutgoingFrames make_frames(const FrameFormat& format, std::string_view key, std::string_view meta,
                           std::string_view payload) {
    switch (format.format) {
        case Format::topic_payload:
            if (format.has_sequence) break;
            return {{key, payload}, 2, false};
        case Format::single:
            return {{key, format.separator, payload}, 3, true};
        case Format::payload:
            return {{payload}, 1, false};
        case Format::full:
            break;
    }
    return {{key, meta, payload}, 3, false};
}

std::string_view first_frame(const FrameFormat& format, std::string_view key,
                             std::string_view payload, size_t most, std::string& buffer) {
    if (format.format == Format::payload) return payload;
    if (format.format != Format::single || most <= key.size()) return key;
    buffer.assign(key).append(format.separator).append(payload.substr(0, most));
    return buffer;
}

namespace {

std::optional<IncomingFrames> split_plain(const FrameFormat& format,
                                          std::span<const std::string_view> frames) {
    switch (format.format) {
        case Format::topic_payload:
            if (frames.size() != 2) return {};
            return IncomingFrames{frames[0], {}, frames[1]};
        case Format::single: {
            if (frames.size() != 1) return {};
            const size_t end = frames[0].find(format.separator);
            if (end == std::string_view::npos) return {};
            return IncomingFrames{
                frames[0].substr(0, end), {}, frames[0].substr(end + format.separator.size())};
        }
        case Format::payload:
            if (frames.size() != 1) return {};
            return IncomingFrames{{}, {}, frames[0]};
        case Format::full:
            break;
    }
    if (frames.size() != 3) return {};
    return IncomingFrames{frames[0], frames[1], frames[2]};
}

}  // namespace

std::optional<IncomingFrames> split_frames(const FrameFormat& format,
                                           std::span<const std::string_view> frames) {
    auto split = split_plain(format, frames);
    if (!split || !format.has_terminator) return split;
    if (!split->key.ends_with('\0')) return {};
    split->key.remove_suffix(1);
    return split;
}

}  // namespace trestle::zmq
