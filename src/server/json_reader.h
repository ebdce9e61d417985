// JSON text to a JSON value, with the faults that nlohmann's own parser hides: a key given twice,
// and nesting that only an attacker writes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trestle {

struct JsonProblem {
    std::string path;  // for keys given twice
    std::string message;
    int line = 0, column = 0;  // for text that is not JSON
};

/// Returns false when the text is not JSON (one problem says where). Keys given twice are problems
/// too, but the value is there (the last one counts).
bool read_json(std::string_view text, bool allow_comments, nlohmann::json& out,
               std::vector<JsonProblem>& problems);

}  // namespace trestle
