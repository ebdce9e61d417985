// How an endpoint tells operators of its workers: plain values, for the admin API and the
// dashboard.
//
// Made on the endpoint's home shard, read on the main thread. Asked for in pages, so that an answer
// never costs more than a bounded part of one turn of the loop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trestle {

/// A job that a worker has and has not answered yet.
struct LeaseReport {
    std::string message;   ///< its id, as the worker sees it
    std::string route;     ///< empty: a client's request, by no route
    uint64_t age_ms = 0;   ///< since this worker was given it
    uint64_t left_ms = 0;  ///< until it is taken back
};

/// One worker that talks to the endpoint.
struct WorkerReport {
    std::string id;        ///< printable; tells it apart at this endpoint, and orders the pages
    std::string protocol;  ///< "mdp 0.1"
    std::string state;     ///< "ready", or "busy" while it takes no more
    std::string service;   ///< whose jobs it takes
    uint32_t window = 0;   ///< jobs that it takes at the same time
    uint32_t in_flight = 0;
    uint64_t silent_ms = 0;           ///< since it was heard of last
    std::vector<LeaseReport> leases;  ///< a few of those in flight
};

}  // namespace trestle
