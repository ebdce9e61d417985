// The members of one JSON object, read within limits: strings as they are meant, everything else
// as compact JSON text. So a payload that is JSON keeps the order of its keys and the digits of its
// numbers. All of the text is read, also behind a fault, but then only the member "id" is kept: the
// answer needs it. The text is UTF-8. Pure, any thread; what is malformed is a value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trestle::websocket::json {

inline constexpr size_t kDeepest = 64;      ///< objects and arrays inside one another
inline constexpr size_t kMostMembers = 64;  ///< of the outermost object

struct Member {
    enum class Type : uint8_t { null, boolean, number, string, object, array };
    std::string key;
    Type type = Type::null;
    std::string text;  ///< a string's own bytes; else JSON
};

struct Members {
    enum class Status : uint8_t { good, not_json, not_an_object, too_deep, too_many, twice };
    Status status = Status::good;
    std::vector<Member> all;  ///< in the case of a fault: those before it, and the id

    [[nodiscard]] const Member* find(std::string_view key) const {
        for (const auto& member : all) {
            if (member.key == key) return &member;
        }
        return nullptr;
    }
};

Members read_members(std::string_view text);

}  // namespace trestle::websocket::json
