// The part of check_config() that looks at routes: names, the endpoints they refer to, and what
// those endpoints can do.
#pragma once

#include <string>
#include <vector>

namespace trestle {

class ConfigFaults;
struct Config;

void check_routes(const Config& config, const std::vector<std::string>& faulty_endpoints,
                  ConfigFaults& faults);

}  // namespace trestle
