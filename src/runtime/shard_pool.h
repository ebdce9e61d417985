// All shards and their threads: the only place that makes threads.
#pragma once

#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "plugin_api/shard.h"

namespace trestle {

class ShardPool {
 public:
    /// Makes the shards; none runs yet.
    ShardPool(Hub& hub, size_t shards);
    /// Stops and joins what still runs.
    ~ShardPool();

    void start();
    /// Ends every shard's loop and joins its thread. What the shards own may then be destroyed from
    /// the calling thread.
    void stop();

    [[nodiscard]] size_t size() const { return shards_.size(); }
    Shard& operator[](size_t i) { return *shards_[i]; }
    const Shard& operator[](size_t i) const { return *shards_[i]; }
    /// The shard of a client id: the same for the same id and number of shards.
    Shard& home_of(std::string_view client_id);

    /// Runs `work` on a shard's thread and waits for it; what it throws is thrown here. Not from a
    /// shard's thread.
    static void run_on(Shard& shard, const std::function<void()>& work);

 private:
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::thread> threads_;
};

}  // namespace trestle
