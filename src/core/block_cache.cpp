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
struct Stack {
    Block* top;
    size_t size;
};
// Without constructor and destructor, so that it costs nothing to reach and outlives everything.
struct Cache {
    Stack stacks[kLargest / kStep];
    bool is_watched;
    bool is_over;
};
constinit thread_local Cache cache{};

/// Frees what the thread has kept, at its end.
struct Watch {
    ~Watch() {
        cache.is_over = true;
        for (auto& stack : cache.stacks) {
            while (stack.top != nullptr) std::free(std::exchange(stack.top, stack.top->next));
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
        Stack& stack = cache.stacks[(size - 1) / kStep];
        if (stack.top != nullptr) {
            --stack.size;
            return std::exchange(stack.top, stack.top->next);
        }
        size = rounded(size);
    }
    void* block = std::malloc(size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}

void give(void* block, size_t size) noexcept {
    if (!kCaches || size > kLargest) return std::free(block);
    Cache& mine = cache;
    Stack& stack = mine.stacks[(size - 1) / kStep];
    if (stack.size >= kKept || mine.is_over) return std::free(block);
    if (!mine.is_watched) begin();
    stack.top = new (block) Block{stack.top};
    ++stack.size;
}

}  // namespace trestle::block_cache
