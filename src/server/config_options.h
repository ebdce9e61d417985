// The descriptions of the config's own parts: what `Config::load` validates and `trestle schema`
// prints. Endpoints are described by their plugins.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plugin_api/options.h"

namespace trestle {

/// Names of endpoints and routes: they are metric labels and keys of the config.
inline constexpr const char* kNamePattern = "^[a-z0-9][a-z0-9_-]*$";
inline constexpr size_t kLongestName = 64;
bool is_config_name(std::string_view name);

/// The top level without `endpoints` and `routes`, which are no plain options.
std::vector<Option> top_options();
std::vector<Option> route_options();
/// What the host itself reads in every endpoint, beside the plugin's options (which win when both
/// describe a key).
std::vector<Option> endpoint_options(const std::vector<std::string>& plugin_names,
                                     const std::vector<Option>& of_plugin);

inline constexpr const char* kEndpointsHelp = "Endpoints by name, each made by a plugin";
inline constexpr const char* kRoutesHelp = "Rules between MQTT topics and ZeroMQ keys";

}  // namespace trestle
