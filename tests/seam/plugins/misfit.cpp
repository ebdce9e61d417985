// Plugins that must be refused. Compiled once for each:
//   MISFIT_API, MISFIT_STAMP  what the descriptor says
//   MISFIT_NAME               the plugin's name
#include "plugin_api/plugin.h"

#define MISFIT_ENTRY_(name) trestle_plugin_##name
#define MISFIT_ENTRY(name) MISFIT_ENTRY_(name)

namespace {

// All that a plugin of another version has in common with ours: the rest of its descriptor may lie
// anywhere, so a loader that reads on would crash.
struct Head {
    uint32_t api_version;
    const char* build_stamp;
};
const Head kHead{MISFIT_API, MISFIT_STAMP};

}  // namespace

extern "C" const void* MISFIT_ENTRY(MISFIT_NAME)();
extern "C" const void* MISFIT_ENTRY(MISFIT_NAME)() { return &kHead; }
