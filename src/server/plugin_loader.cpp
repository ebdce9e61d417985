#include "server/plugin_loader.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace trestle {

namespace fs = std::filesystem;

std::string PluginLoader::default_directory() {
    if (const char* chosen = std::getenv("TRESTLE_PLUGIN_DIR")) return chosen;
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    return (program.parent_path().parent_path() / "lib/trestle/plugins").string();
}

void PluginLoader::add_linked(PluginEntry entry) {
    const PluginDescriptor* descriptor = entry();
    loaded_[descriptor->name].descriptor = descriptor;
}

std::vector<std::string> PluginLoader::names() {
    std::vector<std::string> names;
    for (const auto& [name, loaded] : loaded_) {
        if (loaded.descriptor != nullptr) names.push_back(name);
    }
    std::error_code error;
    for (const auto& file : fs::directory_iterator(directory_, error)) {
        if (file.path().extension() == ".so") names.push_back(file.path().stem().string());
    }
    std::ranges::sort(names);
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

void PluginLoader::open(const std::string& name, Loaded& into) const {
    const std::string file = directory_ + "/" + name + ".so";
    if (::access(file.c_str(), F_OK) != 0) {
        into.problem = "there is no plugin \"" + name + "\" in " + directory_;
        return;
    }
    void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) {
        into.problem = std::string("the plugin cannot be loaded: ") + ::dlerror();
        return;
    }
    const std::string symbol = "trestle_plugin_" + name;
    const auto entry = reinterpret_cast<PluginEntry>(::dlsym(library, symbol.c_str()));
    if (entry == nullptr) {
        into.problem = file + " is no Trestle plugin: it has no function " + symbol;
        return;
    }
    const PluginDescriptor* found = entry();
    if (found == nullptr) {
        into.problem = file + " is no Trestle plugin: it has no descriptor";
        return;
    }
    // The rest of the descriptor may lie elsewhere in another version: these two come first.
    if (found->api_version != kPluginApiVersion) {
        into.problem = file + " speaks plugin API version " + std::to_string(found->api_version) +
                       ", this program speaks " + std::to_string(kPluginApiVersion);
    } else if (std::string_view(found->build_stamp) != build_stamp()) {
        into.problem = file + " is of another build: it was made for \"" + found->build_stamp +
                       "\", this program is \"" + build_stamp() + "\"";
    } else {
        into.descriptor = found;
    }
}

PluginLoader::Loaded& PluginLoader::load(std::string_view name) {
    auto found = loaded_.find(name);
    if (found == loaded_.end()) {
        found = loaded_.emplace(std::string(name), Loaded{}).first;
        open(found->first, found->second);
    }
    return found->second;
}

const PluginDescriptor* PluginLoader::descriptor(std::string_view name, std::string& problem) {
    const Loaded& loaded = load(name);
    problem = loaded.problem;
    return loaded.descriptor;
}

const PluginDescriptor* PluginLoader::provider_of(std::string_view protocol) {
    for (const auto& name : names()) {
        const auto* descriptor = load(name).descriptor;
        if (descriptor == nullptr) continue;
        if (std::ranges::count(descriptor->protocols(), protocol) != 0) return descriptor;
    }
    return nullptr;
}

const PluginOptions* PluginLoader::find(std::string_view name, std::string& problem) {
    Loaded& loaded = load(name);
    problem = loaded.problem;
    if (loaded.descriptor == nullptr) return nullptr;
    if (!loaded.options) describe(loaded);
    return loaded.options.get();
}

void PluginLoader::describe(Loaded& loaded) {
    const PluginDescriptor& plugin = *loaded.descriptor;
    loaded.options = std::make_unique<PluginOptions>();
    loaded.options->options = plugin.options();
    loaded.options->check = plugin.check;
    loaded.options->kind = plugin.kind;
    if (!plugin.carries_protocols) return;
    for (const auto& name : names()) {
        const auto* other = load(name).descriptor;
        if (other == nullptr) continue;
        for (const auto& protocol : other->protocols()) {
            loaded.options->options.push_back(Option::object(
                protocol, "Options of the protocol " + protocol + " over this endpoint",
                other->protocol_options(protocol)));
        }
    }
}

}  // namespace trestle
