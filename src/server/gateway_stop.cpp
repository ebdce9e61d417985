// How a gateway ends: step after step, each on the shards that it concerns, the next when all of
// them have reported to the main thread.
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

#include "core/last_of.h"
#include "core/session_table.h"
#include "server/gateway.h"

namespace trestle {

namespace asio = boost::asio;

namespace {

uint64_t steady_ms() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
}

}  // namespace

// What is returned is called once for each part, from any thread; the last call leads to `next`.
std::function<void()> Gateway::after(size_t parts, void (Gateway::*next)()) {
    return last_of(parts,
                   [this, next] { asio::post(stop_->io, [this, next] { (this->*next)(); }); });
}

void Gateway::stop(asio::io_context& io, uint64_t drain_ms, std::function<void()> done) {
    stopping_ = true;
    stop_.emplace(Stop{io, drain_ms, 0, std::move(done)});
    const auto part = after(endpoints_.size() + 1, &Gateway::stop_sources);
    for (auto& one : endpoints_) {
        if (!one.started) {
            part();
            continue;
        }
        one.context->home().post([&endpoint = *one.endpoint, part] {
            endpoint.stop_listening();
            part();
        });
    }
    pool_[0].post([this, part] {
        hub_keeper_.reset();
        part();
    });
}

// Endpoints that give messages go first, those that routes lead to after them: what is on its way
// from the ones still reaches the others.
void Gateway::stop_sources() {
    stop_->deadline_ms = steady_ms() + stop_->drain_ms;
    stop_endpoints(false, &Gateway::stop_sinks);
}

void Gateway::stop_sinks() { stop_endpoints(true, &Gateway::end_sessions); }

void Gateway::stop_endpoints(bool route_sinks, void (Gateway::*next)()) {
    const auto part = after(endpoints_.size() + 1, next);
    part();  // there may be no endpoints
    for (auto& one : endpoints_) {
        if (!one.started || one.kind.takes_routes != route_sinks) {
            part();
            continue;
        }
        one.told_to_stop = true;
        one.context->home().post([&endpoint = *one.endpoint, deadline_ms = stop_->deadline_ms,
                                  part] { endpoint.stop(deadline_ms, part); });
    }
}

void Gateway::cut_short() {
    if (!stop_) return;
    stop_->drain_ms = 0;
    stop_->deadline_ms = 0;
    for (auto& one : endpoints_) {
        if (!one.told_to_stop) continue;
        one.context->home().post([&endpoint = *one.endpoint] { endpoint.cut_short(); });
    }
}

void Gateway::end_sessions() {
    const auto part = after(pool_.size(), &Gateway::finish_stop);
    for (size_t i = 0; i < pool_.size(); ++i) {
        pool_[i].post([&sessions = pool_[i].hub().sessions(), part] {
            sessions.end_all(DropReason::shutdown);
            part();
        });
    }
}

void Gateway::finish_stop() {
    hub_.set_routes({});
    pool_.stop();
    running_ = false;
    for (const auto& one : endpoints_) {
        constexpr auto kShutdown = static_cast<size_t>(DropReason::shutdown);
        const uint64_t left = one.context->drop_counters()[kShutdown]->value();
        if (left != 0) {
            log_.warn("{}: {} messages could not be delivered in time: dropped, shutdown",
                      one.context->name(), left);
        }
    }
    endpoints_.clear();
    routes_.clear();
    plugins_.clear();
    const auto done = std::move(stop_->done);
    stop_.reset();
    done();
}

void Gateway::stop_and_wait() {
    if (!running_ || stopping_) return;
    asio::io_context io;
    const auto work = asio::make_work_guard(io);
    stop(io, 0, [&io] { io.stop(); });
    io.run();
}

}  // namespace trestle
