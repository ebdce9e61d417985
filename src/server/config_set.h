// `--set path=value`: one value of the config given on the command line.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace trestle {

class ConfigFaults;

/// `assignment` is "endpoints.devices.listen[0]=mqtt://127.0.0.1:1884" or "log.level=debug". The
/// value is JSON when it parses as JSON, else a string. Objects and lists on the way are made; an
/// index may be one past the end. Keys that hold a dot are written `a["x.y"]`.
void apply_set(nlohmann::json& root, const std::string& assignment, ConfigFaults& faults);

}  // namespace trestle
