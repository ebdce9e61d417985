// What a fuzz target takes for granted: when it does not hold, the program ends with a crash.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace trestle::fuzz {

inline void must(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

}  // namespace trestle::fuzz
