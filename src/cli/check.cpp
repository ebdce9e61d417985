#include <ostream>

#include "cli/commands.h"
#include "server/config.h"
#include "server/config_faults.h"

namespace trestle {

int check_command(const ConfigArguments& arguments, PluginCatalog& plugins, std::ostream& out,
                  std::ostream& err) {
    ConfigFaults faults(arguments.file);
    const auto config = Config::load(arguments.file, arguments.sets, plugins, faults);
    for (const auto& line : faults.lines()) err << line << "\n";
    if (!config) {
        const size_t count = faults.faults().size();
        err << arguments.file << ": " << count << (count == 1 ? " fault" : " faults") << "\n";
        return kWrongUse;
    }
    out << arguments.file << ": ok, " << config->endpoints.size()
        << (config->endpoints.size() == 1 ? " endpoint, " : " endpoints, ") << config->routes.size()
        << (config->routes.size() == 1 ? " route" : " routes") << "\n";
    return kFine;
}

}  // namespace trestle
