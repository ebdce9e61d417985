// Which values of a config nobody may see: not in faults, nor in what operators are shown. Pure.
#pragma once

#include <string_view>

namespace trestle {

/// Whether the key, or one of a JSON path's keys, is that of a secret by its name (token,
/// password, ...).
bool is_secret(std::string_view key_or_path);

/// Whether the text of a config is nothing but one `${file:...}`, and so no secret itself.
bool names_a_file(std::string_view text);

}  // namespace trestle
