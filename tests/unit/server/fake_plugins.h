// Plugins that exist as descriptions only, shaped like the real ones.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/config.h"
#include "server/config_faults.h"

namespace trestle::test {

class FakePlugins : public PluginCatalog {
 public:
    FakePlugins();
    const PluginOptions* find(std::string_view name, std::string& problem) override;
    [[nodiscard]] std::vector<std::string> names() override;

 private:
    std::map<std::string, PluginOptions, std::less<>> plugins_;
};

/// Environment and folder that a test chooses.
struct Setting {
    std::map<std::string, std::string> environment;
    std::vector<ConfigVariable> variables;
    std::string folder = "/nowhere";
    std::vector<std::string> sets;
};

struct Parsed {
    std::optional<Config> config;
    ConfigFaults faults{"test.json"};
    /// Faults and warnings, one line each.
    [[nodiscard]] std::string text() const;
};

Parsed parse(const std::string& text, const Setting& setting = {});

/// A config without faults and warnings; routes as JSON text go into its "routes".
std::string config_with_routes(const std::string& routes);

}  // namespace trestle::test
