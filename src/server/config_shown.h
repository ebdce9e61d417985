// The config as operators may see it: what the file says after `--set`, with secrets masked. Pure;
// main thread.
#pragma once

#include <string>

#include "server/config_text.h"

namespace trestle {

/// JSON. A value that came out of a file is shown as the text that named the file; values of keys
/// that are secrets by name (token, password, ...) as "********".
std::string config_shown(const nlohmann::json& root, const ReplacedStrings& replaced);

}  // namespace trestle
