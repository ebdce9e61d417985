// What connections have made of the message that is being delivered, for the next one that would
// write the same bytes: it copies them and puts its own packet id in. One per shard.
//
// What a form means is the protocol's; it uses the numbers that it likes below kForms.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trestle {

class EncodedForms {
 public:
    static constexpr size_t kForms = 16;
    static constexpr size_t kLongest = 4096;  ///< copying is what longer ones cost anyway

    /// The next message; nothing is known of it.
    void begin() { ++message_; }
    /// Empty when there is none. Good until it is set again.
    [[nodiscard]] std::string_view find(size_t form) const {
        const Form& one = forms_[form];
        return one.message == message_ ? std::string_view(one.bytes) : std::string_view();
    }
    void set(size_t form, std::string_view bytes) {
        if (bytes.size() > kLongest) return;
        forms_[form].bytes = bytes;
        forms_[form].message = message_;
    }

 private:
    struct Form {
        uint64_t message = 0;
        std::string bytes;
    };
    uint64_t message_ = 0;
    std::array<Form, kForms> forms_;
};

}  // namespace trestle
