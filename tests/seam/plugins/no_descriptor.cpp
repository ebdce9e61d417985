// A plugin that says nothing of itself.
extern "C" const void* trestle_plugin_no_descriptor();
extern "C" const void* trestle_plugin_no_descriptor() { return nullptr; }
