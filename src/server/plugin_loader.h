// Finds plugins and lets in only those of this very build.
//
// A plugin is `<directory>/<name>.so` with the function `trestle_plugin_<name>`, or one that was
// linked into the program. It is opened once, with RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE, and never
// unloaded. Main thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "plugin_api/plugin.h"
#include "server/config.h"

namespace trestle {

class PluginLoader final : public PluginCatalog {
 public:
    explicit PluginLoader(std::string directory) : directory_(std::move(directory)) {}

    /// `../lib/trestle/plugins` beside the running program, or TRESTLE_PLUGIN_DIR.
    static std::string default_directory();
    /// A plugin that is part of the program.
    void add_linked(PluginEntry entry);

    // PluginCatalog
    const PluginOptions* find(std::string_view name, std::string& problem) override;
    [[nodiscard]] std::vector<std::string> names() override;

    /// Null when it cannot be used; `problem` says why, naming both sides of a mismatch.
    const PluginDescriptor* descriptor(std::string_view name, std::string& problem);
    /// The plugin that offers this byte-stream protocol; null when none does.
    const PluginDescriptor* provider_of(std::string_view protocol);

 private:
    struct Loaded {
        const PluginDescriptor* descriptor = nullptr;
        std::string problem;
        std::unique_ptr<PluginOptions> options;
    };
    Loaded& load(std::string_view name);
    void open(const std::string& name, Loaded& into) const;
    void describe(Loaded& loaded);

    std::string directory_;
    std::map<std::string, Loaded, std::less<>> loaded_;
};

}  // namespace trestle
