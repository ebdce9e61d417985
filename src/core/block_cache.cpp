#include "core/block_cache.h"

#include <cstdlib>
#include <new>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TRESTLE_NO_BLOCK_CACHE
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define TRESTLE_NO_BLOCK_CACHE
#endif

namespace trestle::block_cache {

namespace {

#ifdef TRESTLE_NO_BLOCK_CACHE
constexpr bool kCaches = false;  // the sanitizer could not tell a block from its next use
#else
constexpr bool kCaches = true;
#endif

constexpr size_t kStep = 64;

struct Block {
    Block* next;
};
// Without constructor and destructor, so that it costs nothing to reach and outlives everything.
struct Cache {
    Block* stacks[kLargest / kStep];
    size_t bytes;
    bool is_watched;
    bool is_over;
};
// The library is never loaded late, so that its variables are at a fixed place.
__attribute__((tls_model("initial-exec"))) constinit thread_local Cache cache{};

/// Frees what the thread has kept, at its end.
struct Watch {
    ~Watch() {
        cache.is_over = true;
        for (auto& top : cache.stacks) {
            while (top != nullptr) std::free(std::exchange(top, top->next));
        }
    }
};

void begin() {
    static thread_local Watch watch;
    (void)watch;
    cache.is_watched = true;
}

constexpr size_t rounded(size_t size) { return (size + kStep - 1) / kStep * kStep; }

}  // namespace

void* take(size_t size) {
    if (kCaches && size <= kLargest) {
        Block*& top = cache.stacks[(size - 1) / kStep];
        size = rounded(size);
        if (top != nullptr) {
            cache.bytes -= size;
            return std::exchange(top, top->next);
        }
    }
    void* block = std::malloc(size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

void give(void* block, size_t size) noexcept {
    if (!kCaches || size > kLargest) return std::free(block);
    Cache& mine = cache;
    Block*& top = mine.stacks[(size - 1) / kStep];
    size = rounded(size);
    if (mine.bytes + size > kMostBytes || mine.is_over) return std::free(block);
    if (!mine.is_watched) begin();
    mine.bytes += size;
    top = new (block) Block{top};
}

}  // namespace trestle::block_cache
