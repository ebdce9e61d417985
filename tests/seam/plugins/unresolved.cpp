// Needs a function that nobody has: refused when it is loaded, not when it is first used.
extern "C" int trestle_function_of_the_future();
extern "C" const void* trestle_plugin_unresolved();
extern "C" const void* trestle_plugin_unresolved() {
    return trestle_function_of_the_future() != 0 ? "" : nullptr;
}
