// What no single part of the config can see: names that refer to each other, addresses used twice,
// listeners that are open to everybody, routes that cannot work.
#pragma once

#include <string>
#include <vector>

namespace trestle {

class ConfigFaults;
struct Config;

/// `faulty_endpoints`: in the file, but left out of `config` because something else is wrong with
/// them; routes may name them.
void check_config(const Config& config, const std::vector<std::string>& faulty_endpoints,
                  ConfigFaults& faults);

}  // namespace trestle
