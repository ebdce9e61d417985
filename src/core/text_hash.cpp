#include "core/text_hash.h"

#include <random>

namespace trestle::text_hash_detail {

namespace {

uint64_t random_word() {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
}

}  // namespace

const uint64_t kSecret = random_word();

}  // namespace trestle::text_hash_detail
