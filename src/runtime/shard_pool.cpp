#include "runtime/shard_pool.h"

#include <pthread.h>
#include <signal.h>

#include <exception>
#include <future>

namespace trestle {

ShardPool::ShardPool(Hub& hub, size_t shards) {
    std::vector<Shard*> all;
    for (size_t i = 0; i < shards; ++i) {
        shards_.push_back(std::make_unique<Shard>(hub, static_cast<ShardIndex>(i)));
        all.push_back(shards_.back().get());
    }
    for (auto& shard : shards_) shard->connect(all);
}

ShardPool::~ShardPool() { stop(); }

void ShardPool::start() {
    // Signals are the main thread's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    for (auto& shard : shards_) {
        threads_.emplace_back([&shard = *shard] { shard.run(); });
        pthread_setname_np(threads_.back().native_handle(),
                           ("shard-" + std::to_string(shard->index())).c_str());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ShardPool::stop() {
    for (auto& shard : shards_) shard->stop();
    for (auto& thread : threads_) thread.join();
    const bool ran = !threads_.empty();
    threads_.clear();
    // What was posted last, between shards too, finds everybody still there.
    for (bool more = ran; more;) {
        more = false;
        for (auto& shard : shards_) more = shard->run_pending() || more;
    }
}

Shard& ShardPool::home_of(std::string_view client_id) {
    // FNV-1a: the same on every machine and build, unlike std::hash.
    uint64_t hash = 14695981039346656037ull;
    for (const char c : client_id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    }
    return *shards_[hash % shards_.size()];
}

void ShardPool::run_on(Shard& shard, const std::function<void()>& work) {
    std::promise<void> done;
    std::exception_ptr failure;  // the shard's thread has let go of it when it says done
    shard.post([&] {
        try {
            work();
        } catch (...) {
            failure = std::current_exception();
        }
        done.set_value();
    });
    done.get_future().wait();
    if (failure) std::rethrow_exception(std::move(failure));
}

}  // namespace trestle
