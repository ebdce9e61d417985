// What a reload would change: routes can come, go and change while running; the rest needs a
// restart. Pure; main thread.
#pragma once

#include <string>
#include <vector>

#include "server/config_faults.h"

namespace trestle {

struct Config;

struct ConfigDiff {
    // Names of routes, told apart by name. A changed one is removed and added again.
    std::vector<std::string> added;
    std::vector<std::string> removed;
    std::vector<std::string> changed;
    bool is_reordered = false;  // the routes that stay stand in another order
    /// Each says "found ..., but ... is running: needs a restart". When there is one the reload is
    /// to be refused.
    std::vector<ConfigFault> needs_restart;

    [[nodiscard]] bool empty() const;
};

ConfigDiff compare_configs(const Config& running, const Config& wanted);

}  // namespace trestle
