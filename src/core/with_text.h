// An object with a text behind it, in one block of memory, by choice on cache lines of its own:
// looking at the object brings its text along.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace trestle {

template <class T, size_t kAlignment = 64>
class WithText final : public T {
 public:
    static WithText* make(std::string_view text) {
        auto* made = new (take(sizeof(WithText) + text.size())) WithText;
        made->size_ = static_cast<uint32_t>(text.size());
        if (!text.empty()) {
            std::memcpy(reinterpret_cast<char*>(made + 1), text.data(), text.size());
        }
        return made;
    }
    static void destroy(const WithText* object) noexcept {
        object->~WithText();
        give(const_cast<WithText*>(object));
    }
    WithText(const WithText&) = delete;
    WithText& operator=(const WithText&) = delete;

    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(this + 1), size_};
    }

 private:
    WithText() = default;
    ~WithText() = default;
    static constexpr bool kPlain = kAlignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;
    static void* take(size_t size) {
        if constexpr (kPlain) {
            return ::operator new(size);
        } else {
            return ::operator new(size, std::align_val_t(kAlignment));
        }
    }
    static void give(void* memory) noexcept {
        if constexpr (kPlain) {
            ::operator delete(memory);
        } else {
            ::operator delete(memory, std::align_val_t(kAlignment));
        }
    }
    uint32_t size_ = 0;
};

}  // namespace trestle
