// The program: plugins and command line, nothing else.
#include <exception>
#include <iostream>

#include "cli/command_line.h"
#include "linked_plugins.h"
#include "server/plugin_loader.h"
#include "server/server.h"

int main(int argc, char** argv) {
    using namespace trestle;
    try {
        PluginLoader loader(PluginLoader::default_directory());
        add_linked_plugins(loader);
        return run_command_line(argc, argv,
                                {[&]() -> PluginCatalog& { return loader; },
                                 [&](const ConfigArguments& arguments) {
                                     return serve(arguments.file, arguments.sets, loader,
                                                  std::cerr);
                                 },
                                 std::cout, std::cerr});
    } catch (const std::exception& problem) {
        std::cerr << "trestle: " << problem.what() << '\n';
        return kFailed;
    }
}
