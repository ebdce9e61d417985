// What follows the '?' of a request, decoded and checked. Lives as long as its handler runs.
//
// Every value is asked for once, with its limits; the first thing that is wrong is kept as a
// sentence, and what comes after it changes nothing. Keys that nobody asks for are faults as well.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "server/router.h"

namespace trestle {

/// "%2F" becomes "/", and '+' a blank in a query. Nothing when a '%' is not followed by two digits
/// or when what comes out is not UTF-8.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank);

/// What a search finds: the part in any case of ASCII letters.
bool contains(std::string_view text, std::string_view part);

class Query {
 public:
    explicit Query(std::string_view query);

    [[nodiscard]] std::string text(std::string_view key);
    [[nodiscard]] std::optional<std::string> optional_text(std::string_view key);
    [[nodiscard]] std::string required_text(std::string_view key);
    [[nodiscard]] size_t number(std::string_view key, size_t low, size_t high, size_t fallback);
    [[nodiscard]] bool flag(std::string_view key);
    /// Says what is wrong with a value that was asked for.
    void refuse(std::string_view key, std::string_view expected);

    /// The answer 400, when something was wrong; asked last.
    [[nodiscard]] std::optional<HttpResponse> fault();

 private:
    std::map<std::string, std::string, std::less<>> values_;
    std::map<std::string, std::string, std::less<>> unasked_;
    std::string sentence_;
};

}  // namespace trestle
