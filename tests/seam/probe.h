// What the seam test and its plugin share: an endpoint that can be asked to do, on the plugin's
// side, the things that go wrong when a plugin does not use the host's own Asio.
#pragma once

#include <boost/system/error_code.hpp>
#include <exception>
#include <functional>
#include <stdexcept>

#include "plugin_api/plugin.h"

namespace trestle::seam {

/// Thrown by the plugin, caught by the host.
class ProbeFault : public std::runtime_error {
 public:
    explicit ProbeFault(int number)
        : std::runtime_error("the probe was told to fail"), number_(number) {}
    [[nodiscard]] int number() const { return number_; }

 private:
    int number_;
};

/// Every call comes on the home shard, and runs the plugin's code; so do the callbacks.
class Probe : public Endpoint {
 public:
    using ErrorCode = boost::system::error_code;

    /// A timer of the plugin on the host's io_context. `on_thread`: `running_in_this_thread()`, as
    /// the plugin sees it when the timer fires.
    virtual void fire_timer(std::function<void(ErrorCode, bool on_thread)> fired) = 0;
    virtual bool dispatches_inline() = 0;
    virtual ErrorCode make_eof() = 0;
    virtual bool is_eof(ErrorCode code) = 0;
    /// Reads until the end of the stream; gives the error that ended it.
    virtual void read_to_end(int descriptor, std::function<void(ErrorCode)> ended) = 0;
    /// A coroutine that waits `turns` times, then returns the count, or throws ProbeFault.
    virtual void run_coroutine(int turns, bool fail,
                               std::function<void(std::exception_ptr, int)> ended) = 0;
};

}  // namespace trestle::seam
