// The only file that includes CLI11: it is heavy.
#include "cli/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <optional>
#include <ostream>

#include "cli/commands.h"
#include "server/config.h"
#include "server/schema.h"
#include "server/version.h"

namespace trestle {

namespace {

struct Arguments {
    std::string config;
    std::vector<std::string> sets;
    std::string topic;
    std::vector<std::string> zmq;  // endpoint, key
    TopOptions top;
};

CLI::App* add_config_command(CLI::App& app, const char* name, const char* help,
                             Arguments& arguments) {
    CLI::App* command = app.add_subcommand(name, help);
    command->add_option("-c,--config", arguments.config,
                        "Config file (default: ./trestle.json, then /etc/trestle/trestle.json)");
    command->add_option("--set", arguments.sets, "path=value laid over the file; may be repeated")
        ->allow_extra_args(false)
        ->take_all();
    return command;
}

std::optional<ConfigArguments> config_arguments(const Arguments& arguments, std::ostream& err) {
    if (!arguments.config.empty()) return ConfigArguments{arguments.config, arguments.sets};
    const auto file = default_config_file();
    if (file) return ConfigArguments{*file, arguments.sets};
    err << "trestle: no --config given, and neither ./trestle.json nor /etc/trestle/trestle.json "
           "is "
           "there\n";
    return std::nullopt;
}

int explain(const Arguments& arguments, const ConfigArguments& config, const CommandHost& host) {
    if (arguments.topic.empty() == arguments.zmq.empty()) {
        host.err << "trestle explain: expected a TOPIC, or --zmq ENDPOINT KEY\n";
        return kWrongUse;
    }
    if (!arguments.zmq.empty()) {
        return explain_key_command(config, arguments.zmq[0], arguments.zmq[1], host.plugins(),
                                   host.out, host.err);
    }
    return explain_topic_command(config, arguments.topic, host.plugins(), host.out, host.err);
}

}  // namespace

int run_command_line(int argc, const char* const* argv, const CommandHost& host) {
    CLI::App app("Trestle: MQTT devices, ZeroMQ workers and WebSocket clients in one server",
                 "trestle");
    app.require_subcommand(1);
    app.set_version_flag("--version", std::string("trestle ") + program_version() + " (commit " +
                                          program_commit() + ")");
    Arguments arguments;
    auto* serve = add_config_command(app, "serve", "Run the server", arguments);
    auto* check = add_config_command(app, "check", "Show every fault of the config", arguments);
    auto* explained = add_config_command(
        app, "explain", "Show which routes match, and what comes out of them", arguments);
    explained->add_option("topic", arguments.topic, "Topic of a message from an MQTT client");
    explained->add_option("--zmq", arguments.zmq, "ENDPOINT KEY: a message from a ZeroMQ worker")
        ->expected(2)
        ->type_name("ENDPOINT KEY");
    auto* schema = app.add_subcommand("schema", "Print the JSON Schema of the config");
    auto* top = add_config_command(app, "top", "Show live rates of a running server", arguments);
    top->add_option("--interval", arguments.top.interval_s, "Seconds between two looks")
        ->check(CLI::Range(0.1, 3600.0));
    auto* count = top->add_option("--count", arguments.top.count,
                                  "How often it shows them; 0 = until it is stopped (default: 0 on "
                                  "a terminal, else 1)");
    auto* health = add_config_command(
        app, "health", "Ask a running server whether it is ready (exit 0 or 1)", arguments);

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        const int code = app.exit(problem, host.out, host.err);
        return code == 0 ? kFine : kWrongUse;
    }
    if (schema->parsed()) {
        host.out << config_schema(host.plugins());
        return kFine;
    }
    const auto config = config_arguments(arguments, host.err);
    if (!config) return health->parsed() ? kFailed : kWrongUse;
    if (serve->parsed()) return host.serve(*config);
    if (check->parsed()) return check_command(*config, host.plugins(), host.out, host.err);
    if (explained->parsed()) return explain(arguments, *config, host);
    if (top->parsed()) {
        arguments.top.in_place = ::isatty(STDOUT_FILENO) == 1;
        if (count->count() == 0) arguments.top.count = arguments.top.in_place ? 0 : 1;
        return top_command(*config, arguments.top, host.out, host.err);
    }
    return health_command(*config, host.out, host.err);
}

}  // namespace trestle
