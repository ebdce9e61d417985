// The JSON Schema (draft 2020-12) of the config, out of the same descriptions that validate it.
#pragma once

#include <string>

namespace trestle {

class PluginCatalog;

/// Pretty-printed, with a newline at the end; the same text for the same plugins. Main thread.
std::string config_schema(PluginCatalog& plugins);

}  // namespace trestle
