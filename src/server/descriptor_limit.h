// Whether the process may open as many descriptors as the config promises connections. Pure but for
// the limit, which it asks the system for; any thread.
#pragma once

#include <string>

namespace trestle {

struct Config;

/// A sentence for the log when the `max_connections` that the config gives cannot be reached; "":
/// they can. Defaults are no promise.
std::string too_few_descriptors(const Config& config);

}  // namespace trestle
