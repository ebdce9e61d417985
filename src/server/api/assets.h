// The files that the program holds in itself: the dashboard and the description of the API. Their
// table is made by CMake (cmake/embed.cmake) at build time. Constant; any thread.
#pragma once

#include <span>
#include <string_view>

namespace trestle {

struct Asset {
    std::string_view path;  // where it is served: "/", "/app.js"
    std::string_view content_type;
    std::string_view bytes;
};

std::span<const Asset> assets();

}  // namespace trestle
