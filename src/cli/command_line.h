// The command line: which command, with which arguments, and its exit code.
//
//   0 fine    1 failed while running    2 wrong use, or a fault in the config
//
// Main thread.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace trestle {

class PluginCatalog;

inline constexpr int kFine = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUse = 2;

/// What every command that reads the config is given.
struct ConfigArguments {
    std::string file;               // never empty
    std::vector<std::string> sets;  // "path=value"
};

/// What the commands run on; tests give their own.
struct CommandHost {
    std::function<PluginCatalog&()> plugins;  // called by the commands that need them
    std::function<int(const ConfigArguments&)> serve;
    std::ostream& out;
    std::ostream& err;
};

/// Parses, runs one command, returns the exit code. Catches nothing that a command throws.
int run_command_line(int argc, const char* const* argv, const CommandHost& host);

}  // namespace trestle
