// `trestle serve`: the gateway, the admin HTTP server and the signals, on the main thread.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace trestle {

class PluginLoader;

/// Runs until SIGTERM or SIGINT. Returns the exit code: 0 stopped as asked, 1 failed while starting
/// or running, 2 a fault in the config (told on `err`).
int serve(const std::string& file, const std::vector<std::string>& sets, PluginLoader& plugins,
          std::ostream& err);

}  // namespace trestle
