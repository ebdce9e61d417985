#include "allocations.h"

// glibc's own; the program's malloc stands in front of it for all libraries.
extern "C" void* __libc_malloc(size_t size);
extern "C" void* __libc_calloc(size_t count, size_t size);
extern "C" void* __libc_realloc(void* memory, size_t size);
extern "C" void* __libc_memalign(size_t alignment, size_t size);

namespace {
size_t count = 0;
}

size_t trestle::bench::allocations() { return count; }

extern "C" void* malloc(size_t size) {
    ++count;
    return __libc_malloc(size);
}
extern "C" void* calloc(size_t n, size_t size) {
    ++count;
    return __libc_calloc(n, size);
}
extern "C" void* realloc(void* memory, size_t size) {
    ++count;
    return __libc_realloc(memory, size);
}
extern "C" void* aligned_alloc(size_t alignment, size_t size) {
    ++count;
    return __libc_memalign(alignment, size);
}
