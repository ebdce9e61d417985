// What the hub needs to know of a thread: how to hand it work. The runtime's shard is one.
#pragma once

#include <functional>

namespace trestle {

class Executor {
 public:
    virtual ~Executor() = default;
    /// Runs `work` on the executor's thread, later, in the order of posting. From any thread; never
    /// blocks; may throw std::bad_alloc.
    virtual void post(std::function<void()> work) = 0;
};

}  // namespace trestle
