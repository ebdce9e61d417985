// Values laid over the config file: `--set path=value` from the command line, and environment
// variables `TRESTLE__path__to__key=value`.
//
// Pure functions on the main thread; what is wrong goes to the collector, which is also told where
// a value came from.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_text.h"

namespace trestle {

class ConfigFaults;

/// `assignment` is "endpoints.devices.listen[0]=mqtt://127.0.0.1:1884" or "log.level=debug". The
/// value is JSON when it parses as JSON, else a string. Objects and lists on the way are made; an
/// index may be one past the end. Keys that hold a dot are written `a["x.y"]`.
void apply_set(nlohmann::json& root, const std::string& assignment, ConfigFaults& faults);

inline constexpr std::string_view kVariablePrefix = "TRESTLE__";

/// `TRESTLE__endpoints__devices__listen__0=mqtt://0.0.0.0:1883`: two underscores stand between
/// keys, a number is an index where the file has a list or nothing. A value that begins with `{`,
/// `[` or `"` is JSON; any other is text, which may stand for a number or boolean (so it is noted
/// in `replaced`). Parents are laid before children and list elements in order, however the
/// variables are ordered.
void apply_variables(nlohmann::json& root, const std::vector<ConfigVariable>& variables,
                     ReplacedStrings& replaced, ConfigFaults& faults);

}  // namespace trestle
