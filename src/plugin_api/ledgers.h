// The counters and gauges of one set of books (core/ledger.h): of a route, of an endpoint's
// sessions, of the requests that its clients make.
//
// Used at start, on the thread that makes the books.
#pragma once

#include <type_traits>
#include <utility>

#include "core/ledger.h"
#include "plugin_api/metrics.h"

namespace trestle {

/// What the metrics of the books are called, and what they tell. `outcomes` has one series for each
/// fate.
struct LedgerWords {
    struct Metric {
        const char* name;
        const char* help;
    };
    Metric matched, outcomes, queue_messages, queue_bytes, in_flight;
};

/// `Ledger` is SessionLedger or RouteLedger; what only some routes count is left out.
template <class Ledger>
Ledger make_ledger(Metrics& metrics, const Labels& mine, const LedgerWords& words,
                   const DropCounters& reasons) {
    const auto outcome = [&](const char* fate) {
        Labels labels = mine;
        labels.emplace_back("outcome", fate);
        return &metrics.counter(words.outcomes.name, words.outcomes.help, std::move(labels));
    };
    const auto gauge = [&](const LedgerWords::Metric& metric) {
        return &metrics.gauge(metric.name, metric.help, mine);
    };
    Ledger ledger;
    ledger.matched = &metrics.counter(words.matched.name, words.matched.help, mine);
    ledger.sent = outcome("sent");
    ledger.acked = outcome("acked");
    ledger.queued = outcome("queued");
    ledger.refused = outcome("refused");
    if constexpr (std::is_same_v<Ledger, RouteLedger>) {
        ledger.timed_out = outcome("timed_out");
        ledger.dead_lettered = outcome("dead_lettered");
    }
    ledger.dropped = outcome("dropped");
    ledger.queue_messages = gauge(words.queue_messages);
    ledger.queue_bytes = gauge(words.queue_bytes);
    ledger.in_flight = gauge(words.in_flight);
    ledger.reasons = reasons;
    return ledger;
}

}  // namespace trestle
