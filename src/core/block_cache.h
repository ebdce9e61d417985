// Memory of small messages, kept for the next one by the thread that frees it.
//
// A window of messages is kept and let go again and again; glibc's own cache is too small for that.
// Any thread may give what another has taken. Bounded: kMostBytes per thread.
#pragma once

#include <cstddef>

namespace trestle::block_cache {

inline constexpr size_t kLargest = 2048;  ///< larger blocks come from the allocator directly
inline constexpr size_t kMostBytes = 512 * 1024;

/// Throws std::bad_alloc when memory is out.
void* take(size_t size);
/// `size` is what it was taken with.
void give(void* block, size_t size) noexcept;

}  // namespace trestle::block_cache
