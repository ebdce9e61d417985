// Which values of a config nobody may see: not in faults, nor in what operators are shown. Pure.
#pragma once

#include <string_view>

namespace trestle {

/// Whether one of the JSON path's keys is that of a secret by its name (token, password, ...).
/// What users name themselves, an endpoint, is no such key.
bool is_secret(std::string_view path);

/// Whether the text was meant to be JSON and is not: a slip of the pen in what may hold a secret.
/// A template such as {site} is not taken for it.
bool is_broken_json(std::string_view text);

/// Whether the text of a config is nothing but one `${file:...}`, and so no secret itself.
bool names_a_file(std::string_view text);

}  // namespace trestle
