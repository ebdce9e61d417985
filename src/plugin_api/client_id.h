// Client ids that the server gives. Any shard, for itself.
#pragma once

#include <string>
#include <string_view>

#include "plugin_api/plugin.h"

namespace trestle {

/// Random, so that nobody guesses another's, and at home on this shard: its session is local.
std::string assign_client_id(Host& host, const Shard& shard, std::string_view prefix);

}  // namespace trestle
