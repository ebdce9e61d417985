// Which subscribers and routes want a topic: the one index that all shards share.
//
// Exact filters lie in a hash table; filters with wildcards in a tree (`FilterTree`). It is written
// under every shard's lock and read under the reader's own (see `IndexLock`), rarely at that: each
// shard caches what a topic matched (`MatchCache`), and the cache is checked by generation numbers
// without any lock. A change of an exact filter touches the generation of the topic's bucket only,
// so clients that come and go with filters of their own do not spoil everybody's cache.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "core/counters.h"
#include "core/filter_tree.h"
#include "core/flat_table.h"
#include "core/indexed_filter.h"
#include "core/text_hash.h"
#include "core/with_text.h"

namespace trestle {

/// One reader lock per shard; a writer takes them all.
class IndexLock {
 public:
    explicit IndexLock(size_t shards) : locks_(new Slot[shards]), count_(shards) {}

    class Reader {
     public:
        Reader(IndexLock& lock, ShardIndex shard) : guard_(lock.locks_[shard].mutex) {}

     private:
        std::lock_guard<std::mutex> guard_;
    };
    class Writer {
     public:
        explicit Writer(IndexLock& lock) : lock_(lock) {
            for (size_t i = 0; i < lock_.count_; ++i) lock_.locks_[i].mutex.lock();
        }
        ~Writer() {
            for (size_t i = lock_.count_; i-- > 0;) lock_.locks_[i].mutex.unlock();
        }
        Writer(const Writer&) = delete;

     private:
        IndexLock& lock_;
    };

 private:
    struct alignas(64) Slot {
        std::mutex mutex;
    };
    std::unique_ptr<Slot[]> locks_;
    size_t count_;
};

class SubscriptionIndex {
 public:
    SubscriptionIndex();
    ~SubscriptionIndex();

    // Writers: under IndexLock::Writer. `filter` is valid and without `$share/`.

    /// True when the subscriber had this filter already; its options are replaced.
    bool add(std::string_view filter, SubscriberRef who, const SubscribeOptions& options);
    /// `state` is the subscriber's, the same in all its groups; without it the member counts as
    /// ready.
    bool add_shared(std::string_view filter, std::string_view group, SubscriberRef who,
                    const SubscribeOptions& options, std::shared_ptr<MemberState> state = nullptr);
    bool remove(std::string_view filter, SubscriberRef who);
    bool remove_shared(std::string_view filter, std::string_view group, SubscriberRef who);
    /// A route that shares its topics with the group; it is no subscription.
    void add_shared_route(std::string_view filter, std::string_view group, const RoutePtr& route);
    void remove_shared_route(std::string_view filter, std::string_view group,
                             const RoutePtr& route);
    void add_route(std::string_view filter, RouteNumber route);
    void remove_route(std::string_view filter, RouteNumber route);

    /// What topics match has changed otherwise: makes every match invalid.
    void touch() { wildcard_generation_.fetch_add(1, std::memory_order_release); }

    // Readers: under IndexLock::Reader.

    /// Calls `visit` for every filter that matches the topic, whose hash this is.
    size_t match(std::string_view topic, uint64_t hash, const FilterVisit& visit) const;

    // Without a lock, from any thread.

    [[nodiscard]] static uint64_t hash_of(std::string_view topic) { return text_hash(topic); }
    [[nodiscard]] static size_t bucket_of(uint64_t hash) { return hash % kBuckets; }
    /// Changes whenever what this bucket's topics match may have changed.
    [[nodiscard]] uint64_t generation(size_t bucket) const {
        return wildcard_generation_.load(std::memory_order_acquire) +
               exact_generation_[bucket].load(std::memory_order_acquire);
    }
    /// Subscriptions of clients, shared ones included.
    [[nodiscard]] size_t subscriptions() const { return count_.load(std::memory_order_relaxed); }
    /// Of these, the shared ones.
    [[nodiscard]] size_t shared() const { return shared_.load(std::memory_order_relaxed); }

 private:
    using Exact = WithText<IndexedFilter>;
    [[nodiscard]] Exact* find_exact(std::string_view filter, uint64_t hash) const;
    IndexedFilter::Group& group_at(std::string_view filter, std::string_view name);
    void put_smaller(std::string_view filter, IndexedFilter& here, IndexedFilter::Group& group,
                     SharedGroupPtr next);
    IndexedFilter& at(std::string_view filter);
    [[nodiscard]] IndexedFilter* find(std::string_view filter) const;
    void changed(std::string_view filter);
    void prune(std::string_view filter);

    static constexpr size_t kBuckets = 4096;
    FlatTable<Exact> exact_;
    FilterTree tree_;
    std::atomic<uint64_t> wildcard_generation_{1};
    std::array<std::atomic<uint64_t>, kBuckets> exact_generation_{};
    std::atomic<size_t> count_{0};
    std::atomic<size_t> shared_{0};
    uint32_t last_group_ = 0;
    uint64_t last_member_ = 0;
};

}  // namespace trestle
