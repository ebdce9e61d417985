#include "core/message.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace trestle {

MessagePtr Message::copy_of(const MessageView& view) {
    void* block = std::malloc(sizeof(Message) + view.size());
    if (block == nullptr) throw std::bad_alloc();
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
    self->~Message();
    std::free(self);
}

}  // namespace trestle
