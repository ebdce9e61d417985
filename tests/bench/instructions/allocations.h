// How often the program and its libraries asked for memory (malloc, calloc, realloc, new).
#pragma once

#include <cstddef>

namespace trestle::bench {

size_t allocations();

}  // namespace trestle::bench
