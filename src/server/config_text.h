// From the bytes of a config file to one JSON value: comments allowed, the environment's
// `TRESTLE__...` and then `--set` laid over it, `${...}` replaced in every string. Nothing here
// knows which keys there are.
//
//   ${NAME}            environment variable; unset = fault
//   ${NAME:-default}   the default where it is unset or empty
//   ${file:/path}      contents of a file, one trailing newline removed; a relative path starts at
//                      the config file's folder
//   $${                stands for ${
//
// Main thread; reads files, may block on them. Every fault goes to the collector; a result is given
// as far as one could be made.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trestle {

class ConfigFaults;

/// What strings came from: JSON path -> the text as it stands in the file. A replaced string may
/// stand for a number or boolean, and its value is not shown in faults when it came from a file.
using ReplacedStrings = std::map<std::string, std::string, std::less<>>;

struct ConfigText {
    ConfigText();
    ConfigText(ConfigText&&) noexcept;
    ConfigText& operator=(ConfigText&&) noexcept;
    ~ConfigText();
    std::unique_ptr<nlohmann::json> root;  // null: the text is not JSON
    ReplacedStrings replaced;
};

/// An environment variable that gives a value of the config: "TRESTLE__log__level".
struct ConfigVariable {
    std::string name;
    std::string value;
};

/// Where `${...}` looks, and what the environment lays over the file. Tests give their own.
struct Surroundings {
    std::function<std::optional<std::string>(const std::string& name)> environment;
    std::vector<ConfigVariable> variables;
    std::string folder;  // relative ${file:} paths start here

    static Surroundings of_process(const std::string& config_file);
};

/// Nothing, and a fault, when the file cannot be read or is over 16 MiB.
std::optional<std::string> read_config_file(const std::string& file, ConfigFaults& faults);

/// `sets` are "path=value" as given to --set.
ConfigText parse_config_text(std::string_view text, const std::vector<std::string>& sets,
                             const Surroundings& surroundings, ConfigFaults& faults);

}  // namespace trestle
