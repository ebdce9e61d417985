#include "zmq/message_reader.h"

namespace trestle::zmq {

MessageReader::Result MessageReader::read(Socket& socket, size_t& budget) {
    if (is_complete_) {
        kept_ = size_ = 0;
        is_complete_ = false;
    }
    while (budget > 0) {
        const bool is_kept = kept_ < views_.size();
        Frame& frame = is_kept ? frames_[kept_] : surplus_;
        if (!socket.receive(frame)) return Result::nothing;
        --budget;
        size_ += frame.bytes().size();
        if (is_kept) views_[kept_++] = frame.bytes();
        if (!frame.has_more()) {
            is_complete_ = true;
            return Result::message;
        }
    }
    return Result::unfinished;
}

}  // namespace trestle::zmq
