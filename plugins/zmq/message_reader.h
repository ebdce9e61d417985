// Reads whole messages, however many frames a peer has made them of; keeps the first few.
//
// Used by one thread at a time, as its socket is.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "zmq/socket.h"

namespace trestle::zmq {

class MessageReader {
 public:
    enum class Result : uint8_t { nothing, unfinished, message };

    /// Keeps `most` frames of a message, and one more: one too many is seen as such.
    explicit MessageReader(size_t most) : frames_(new Frame[most + 1]), views_(most + 1) {}

    /// Reads at most `budget` frames and takes them off it.
    Result read(Socket& socket, size_t& budget);
    /// Of the message that `read` has completed.
    [[nodiscard]] std::span<const std::string_view> frames() const {
        return {views_.data(), kept_};
    }
    [[nodiscard]] bool has_too_many() const { return kept_ == views_.size(); }
    [[nodiscard]] const Frame& frame(size_t i) const { return frames_[i]; }
    [[nodiscard]] size_t size() const { return size_; }

 private:
    std::unique_ptr<Frame[]> frames_;
    std::vector<std::string_view> views_;
    Frame surplus_;
    size_t kept_ = 0;
    size_t size_ = 0;
    bool is_complete_ = true;
};

}  // namespace trestle::zmq
