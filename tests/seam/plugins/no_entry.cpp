// A shared object that is no plugin.
extern "C" int trestle_plugin_of_another_name();
extern "C" int trestle_plugin_of_another_name() { return 0; }
