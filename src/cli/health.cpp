#include <ostream>

#include "cli/commands.h"
#include "cli/http_client.h"
#include "plugin_api/uri.h"
#include "server/config.h"
#include "server/config_faults.h"

namespace trestle {

int health_command(const ConfigArguments& arguments, std::ostream& out, std::ostream& err) {
    constexpr auto kTimeout = std::chrono::seconds(2);
    ConfigFaults faults(arguments.file);
    const auto admin = Config::load_admin(arguments.file, arguments.sets, faults);
    if (!admin) {
        for (const auto& line : faults.lines()) err << line << "\n";
        return kFailed;
    }
    // The probe listener needs no token.
    const std::string& address = admin->probe_listen.empty() ? admin->listen : admin->probe_listen;
    const ParsedUri parsed = parse_uri(address);
    if (!parsed.uri || parsed.uri->is_local || parsed.uri->port == 0) {
        err << "trestle health: " << arguments.file
            << " has neither admin.listen nor admin.probe_listen with a port to ask\n";
        return kFailed;
    }
    const HttpAnswer answer = http_get(*parsed.uri, "/readyz", "", kTimeout);
    if (!answer.problem.empty()) {
        err << "trestle health: " << address << ": " << answer.problem << "\n";
        return kFailed;
    }
    if (answer.is_ok()) {
        out << "ready\n";
        return kFine;
    }
    err << "trestle health: " << address << ": " << answer.status << ": " << answer.body << "\n";
    return kFailed;
}

}  // namespace trestle
