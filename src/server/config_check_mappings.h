// The part of check_config() that compiles the templates of the routes: faults and warnings of the
// templates themselves, filters, dead letters, and how routes get along with each other.
#pragma once

namespace trestle {

class ConfigFaults;
struct Config;
struct RouteConfig;
struct MappingSpec;

void check_mappings(const Config& config, ConfigFaults& faults);

/// The templates of a route, in the directions in which it is used.
MappingSpec mapping_spec(const RouteConfig& route);

}  // namespace trestle
