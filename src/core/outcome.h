// How a message's way through the gateway ended: for its publisher (Outcome) and for the ledger
// (DropReason).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trestle {

/// What the publisher is told. In order of severity: with several receivers the worst counts.
enum class Outcome : uint8_t {
    accepted,       ///< every receiver has it, or the worker replied
    no_subscriber,  ///< nobody subscribes and no route matches
    no_receiver,    ///< a route that says so found nobody at its far end
    not_retained,   ///< delivered, but there is no room to retain it
    dead_lettered,  ///< a worker did not take it in time; it went to the dead letter topic
    timed_out,      ///< nobody took it in time; withdrawn
    given_up,       ///< refused for good; sending it again could not help
    queue_full,  ///< a route's queue stayed full for its `block_ms`, or it refuses without receiver
};

/// Why a copy was dropped; the values of the label `reason`.
enum class DropReason : uint8_t {
    queue_full,
    no_subscriber,
    no_route,
    bad_key,
    bad_frames,
    too_large,
    expired,
    session_ended,
    no_worker,
    shutdown,
    route_removed,
    hops,
    acl,
    rate_limit,
};
inline constexpr size_t kDropReasons = 14;

constexpr std::string_view name_of(DropReason reason) {
    constexpr std::string_view kNames[kDropReasons] = {
        "queue_full",    "no_subscriber", "no_route",      "bad_key",   "bad_frames",
        "too_large",     "expired",       "session_ended", "no_worker", "shutdown",
        "route_removed", "hops",          "acl",           "rate_limit"};
    return kNames[static_cast<size_t>(reason)];
}

}  // namespace trestle
