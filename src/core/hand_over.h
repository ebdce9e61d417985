// Messages on their way from one shard to another, as bytes in one piece of memory: filled by the
// one, read once by the other.
//
// What a message costs here is the cache lines that change their core. So the head is short, and
// a topic that is that of the message before is left out. Throws std::bad_alloc, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/message.h"
#include "core/out_buffer.h"

namespace trestle {

/// A member of a shared group on another shard; all zero: everybody there who matches.
struct SharedTarget {
    uint64_t member = 0;
    uint32_t group = 0;
    uint32_t place = 0;        ///< where among the members it was
    uint32_t group_place = 0;  ///< and where its group among those that match
    bool final = false;        ///< sent on once already
};

class HandOver {
 public:
    /// `to` may be null: everybody.
    void put(const MessageView& message, const SharedTarget* to);
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] size_t size() const { return bytes_.size(); }
    [[nodiscard]] size_t capacity() const { return bytes_.capacity(); }
    /// Forgets the messages, keeps the memory.
    void clear() {
        bytes_.clear();
        topic_ = 0;
        topic_size_ = kNoTopic;
    }

    /// Takes the messages out in their order. Views are good as long as the hand-over is as it is.
    class Reader {
     public:
        explicit Reader(const HandOver& from)
            : at_(from.bytes_.data()), end_(at_ + from.bytes_.size()) {}
        /// False: there are no more.
        bool next();
        [[nodiscard]] const MessageView& message() const { return message_; }
        /// Null: everybody.
        [[nodiscard]] const SharedTarget* target() const {
            return has_target_ ? &target_ : nullptr;
        }

     private:
        const char* at_;
        const char* end_;
        MessageView message_;
        SharedTarget target_;
        bool has_target_ = false;
    };

 private:
    static constexpr size_t kNoTopic = SIZE_MAX;
    struct Head;
    OutBuffer bytes_;
    size_t topic_ = 0;  // where the last topic is
    size_t topic_size_ = kNoTopic;
};

}  // namespace trestle
