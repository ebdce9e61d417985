// An object with a text behind it, in one block of memory on cache lines of its own: looking at the
// object brings its text along.
#pragma once

#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>

namespace trestle {

template <class T>
class WithText final : public T {
 public:
    static WithText* make(std::string_view text) {
        auto* made = new (::operator new(sizeof(WithText) + text.size(), kLine)) WithText;
        made->size_ = static_cast<uint32_t>(text.size());
        if (!text.empty()) {
            std::memcpy(reinterpret_cast<char*>(made + 1), text.data(), text.size());
        }
        return made;
    }
    static void destroy(const WithText* object) noexcept {
        object->~WithText();
        ::operator delete(const_cast<WithText*>(object), kLine);
    }
    WithText(const WithText&) = delete;
    WithText& operator=(const WithText&) = delete;

    [[nodiscard]] std::string_view text() const {
        return {reinterpret_cast<const char*>(this + 1), size_};
    }

 private:
    WithText() = default;
    ~WithText() = default;
    static constexpr std::align_val_t kLine{64};
    uint32_t size_ = 0;
};

}  // namespace trestle
