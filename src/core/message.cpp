#include "core/message.h"

#include <cstring>
#include <new>

#include "core/block_cache.h"

namespace trestle {

MessagePtr Message::copy_of(const MessageView& view) {
    void* block = block_cache::take(sizeof(Message) + view.size());
    char* bytes = static_cast<char*>(block) + sizeof(Message);
    MessageView own = view;
    const auto place = [&bytes](std::string_view& part) {
        if (!part.empty()) std::memcpy(bytes, part.data(), part.size());
        part = {bytes, part.size()};
        bytes += part.size();
    };
    place(own.topic);
    place(own.properties);
    place(own.payload);
    return MessagePtr(new (block) Message(own));
}

void Message::destroy() const noexcept {
    auto* self = const_cast<Message*>(this);
    const size_t size = sizeof(Message) + view_.size();
    self->~Message();
    block_cache::give(self, size);
}

}  // namespace trestle
