#include "core/hand_over.h"

#include <cstring>

namespace trestle {

namespace {

// The other shard has read this memory before; its lines come back while earlier ones are written.
constexpr size_t kFetchAhead = 1024;  // bytes
constexpr size_t kLine = 64;

// For writing: GCC's own builtin only asks for a copy to read unless the processor is named.
inline void fetch_for_writing(const char* line) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*line));
#else
    __builtin_prefetch(line, 1);
#endif
}

constexpr uint8_t kRetain = 1, kExpires = 2, kTargeted = 4, kSameTopic = 8;

}  // namespace

struct HandOver::Head {
    uint32_t payload, properties;
    uint16_t topic;
    EndpointId origin;
    uint8_t hops, qos, flags;
};

void HandOver::put(const MessageView& message, const SharedTarget* to) {
    const size_t most = sizeof(Head) + sizeof message.expires_at_ms + sizeof *to + message.size();
    char* const start = bytes_.reserve(most);
    char* at = start;
    const auto write = [&at](const void* data, size_t size) {
        if (size != 0) std::memcpy(at, data, size);
        at += size;
    };
    const std::string_view last(bytes_.data() + topic_, topic_size_ == kNoTopic ? 0 : topic_size_);
    const bool same_topic = topic_size_ != kNoTopic && message.topic == last;
    const bool expires = message.expires_at_ms != kNeverExpires;
    const auto flags =
        static_cast<uint8_t>((message.retain ? kRetain : 0) | (expires ? kExpires : 0) |
                             (to != nullptr ? kTargeted : 0) | (same_topic ? kSameTopic : 0));
    const Head head{static_cast<uint32_t>(message.payload.size()),
                    static_cast<uint32_t>(message.properties.size()),
                    static_cast<uint16_t>(message.topic.size()),
                    message.origin,
                    message.hops,
                    static_cast<uint8_t>(message.qos),
                    flags};
    write(&head, sizeof head);
    if (expires) write(&message.expires_at_ms, sizeof message.expires_at_ms);
    if (to != nullptr) write(to, sizeof *to);
    if (!same_topic) {
        topic_ = bytes_.size() + static_cast<size_t>(at - start);
        topic_size_ = message.topic.size();
        write(message.topic.data(), message.topic.size());
    }
    write(message.properties.data(), message.properties.size());
    write(message.payload.data(), message.payload.size());
    bytes_.commit(static_cast<size_t>(at - start));
    for (const char* line = start; line < at; line += kLine) {
        fetch_for_writing(line + kFetchAhead);
    }
}

bool HandOver::Reader::next() {
    if (at_ == end_) return false;
    const char* at = at_;
    const auto read = [&at](void* into, size_t size) {
        std::memcpy(into, at, size);
        at += size;
    };
    const auto take = [&at](size_t size) {
        const std::string_view taken(at, size);
        at += size;
        return taken;
    };
    Head head;
    read(&head, sizeof head);
    message_.expires_at_ms = kNeverExpires;
    if ((head.flags & kExpires) != 0) read(&message_.expires_at_ms, sizeof(uint64_t));
    has_target_ = (head.flags & kTargeted) != 0;
    if (has_target_) read(&target_, sizeof target_);
    if ((head.flags & kSameTopic) == 0) message_.topic = take(head.topic);
    message_.properties = take(head.properties);
    message_.payload = take(head.payload);
    message_.origin = head.origin;
    message_.hops = head.hops;
    message_.qos = static_cast<Qos>(head.qos);
    message_.retain = (head.flags & kRetain) != 0;
    for (const char* line = at_; line < at; line += kLine) {
        __builtin_prefetch(line + kFetchAhead);
    }
    at_ = at;
    return true;
}

}  // namespace trestle
