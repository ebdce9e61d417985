// What must be the same in the host and in every plugin: versions, and how Boost is compiled.
//
// Asio finds its services by the addresses of static objects. A plugin with an Asio of its own
// builds and loads, but its timers never fire on the host's io_context and its error codes equal
// none of the host's. So the one copy is in libtrestle, and whoever was not told so at compile time
// stops here.
#pragma once

#include <boost/version.hpp>
#include <cstdint>

#if !defined(BOOST_ASIO_SEPARATE_COMPILATION) || !defined(BOOST_BEAST_SEPARATE_COMPILATION) || \
    !defined(BOOST_ASIO_NO_DEPRECATED) || !defined(TRESTLE_VERSION)
#error \
    "compile with the flags of the CMake target trestle::trestle or `pkg-config --cflags trestle`"
#endif

namespace trestle {

inline constexpr uint32_t kPluginApiVersion = 1;

/// Compiler and library versions that must be the same on both sides of the seam: the host's.
const char* build_stamp();
/// The same, as this translation unit was compiled.
// clang-format off
#define TRESTLE_BUILD_STAMP                                                                     \
    "trestle " TRESTLE_STRINGIZE(TRESTLE_VERSION) " c++" TRESTLE_STRINGIZE(__cplusplus)         \
    " gcc-abi " TRESTLE_STRINGIZE(__GXX_ABI_VERSION) " boost " BOOST_LIB_VERSION
// clang-format on
#define TRESTLE_STRINGIZE(x) TRESTLE_STRINGIZE_(x)
#define TRESTLE_STRINGIZE_(x) #x

}  // namespace trestle
