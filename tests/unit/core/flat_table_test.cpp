// The table against a map, with few different hashes, so that many collide; the hash; the blocks.
#include "core/flat_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/block_cache.h"
#include "core/text_hash.h"

namespace trestle {
namespace {

struct Item {
    uint64_t hash;
    int number;
};

TEST(FlatTable, AgreesWithAMap) {
    std::mt19937 random(7);
    for (const uint64_t hashes : {3ULL, 40ULL, 1ULL << 40}) {
        FlatTable<Item> table;
        std::map<int, Item> items;
        for (int i = 0; i < 20'000; ++i) {
            const int number = static_cast<int>(random() % (i < 10'000 ? 300 : 20));
            const auto known = items.find(number);
            const auto is_it = [&](const Item& item) { return item.number == number; };
            const uint64_t hash = text_hash(std::to_string(number)) % hashes;
            Item* found = table.find(hash, is_it);
            ASSERT_EQ(found, known == items.end() ? nullptr : &known->second);
            if (found != nullptr) {
                table.erase(hash, found);
                items.erase(known);
            } else {
                table.insert(hash, &items.emplace(number, Item{hash, number}).first->second);
            }
            ASSERT_EQ(table.size(), items.size());
        }
        std::set<const Item*> all;
        table.for_each([&](const Item* item) { all.insert(item); });
        EXPECT_EQ(all.size(), items.size());
    }
}

TEST(TextHash, SeesEveryByteAndTheLength) {
    std::set<uint64_t> seen;
    size_t texts = 0;
    for (size_t size = 0; size < 40; ++size) {
        std::string text(size, 'a');
        seen.insert(text_hash(text));
        seen.insert(text_hash(text, 1));
        texts += 2;
        for (size_t at = 0; at < size; ++at) {
            text[at] = 'b';
            seen.insert(text_hash(text));
            text[at] = 'a';
            ++texts;
        }
    }
    EXPECT_EQ(seen.size(), texts);
}

TEST(BlockCache, GivesBlocksOfItsSizesAndAnyOther) {
    std::vector<std::pair<void*, size_t>> taken;
    for (int round = 0; round < 3; ++round) {
        for (size_t size = 1; size < 2 * block_cache::kLargest; size += 7) {
            for (int i = 0; i < 40; ++i) {
                void* block = block_cache::take(size);
                std::memset(block, round, size);
                taken.emplace_back(block, size);
            }
        }
        std::set<void*> different;
        for (const auto& [block, size] : taken) different.insert(block);
        EXPECT_EQ(different.size(), taken.size());
        for (const auto& [block, size] : taken) block_cache::give(block, size);
        taken.clear();
    }
}

}  // namespace
}  // namespace trestle
