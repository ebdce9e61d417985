// The commands behind the command line; each returns its exit code. Main thread.
#pragma once

#include <iosfwd>
#include <string>

#include "cli/command_line.h"

namespace trestle {

class PluginCatalog;

/// Every fault and warning of the file, or one line that says it is fine.
int check_command(const ConfigArguments& arguments, PluginCatalog& plugins, std::ostream& out,
                  std::ostream& err);

/// What happens to a message with this topic.
int explain_topic_command(const ConfigArguments& arguments, const std::string& topic,
                          PluginCatalog& plugins, std::ostream& out, std::ostream& err);

/// What happens to a ZeroMQ message with this key that `endpoint` receives.
int explain_key_command(const ConfigArguments& arguments, const std::string& endpoint,
                        const std::string& key, PluginCatalog& plugins, std::ostream& out,
                        std::ostream& err);

/// Asks /readyz of the running server that the config describes.
int health_command(const ConfigArguments& arguments, std::ostream& out, std::ostream& err);

struct TopOptions {
    double interval_s = 1;
    size_t count = 0;       // 0: until it is stopped
    bool in_place = false;  // a terminal, whose screen is refreshed
};

/// Live rates of the running server that the config describes.
int top_command(const ConfigArguments& arguments, const TopOptions& options, std::ostream& out,
                std::ostream& err);

}  // namespace trestle
