// A JSON object against its description: what comes out is a `Settings` of the right types.
//
// Unknown keys, wrong types, values out of range and missing keys are faults, all of them at once.
// Main thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_api/options.h"
#include "server/config_text.h"

namespace trestle {

class ConfigFaults;

struct Validated {
    Settings settings;
    /// Every required key is there and of the right type, so nothing that is asked for is missing.
    bool is_complete = true;
};

/// A faulty value counts as not given: its default stands in.
Validated validate(const nlohmann::json& value, const std::string& path,
                   const std::vector<Option>& description, const ReplacedStrings& replaced,
                   ConfigFaults& faults);

/// The value as a fault shows it: JSON, shortened; a string that came out of a file stays secret.
std::string shown_value(const nlohmann::json& value, const std::string& path,
                        const ReplacedStrings& replaced);

/// "an integer from 1 to 65535": what the description allows.
std::string expected_text(const Option& option);

}  // namespace trestle
