// What the routing table as a whole does wrong: rules that feed each other in a circle, rules that
// send the same topics to one endpoint, dead letters that come back to their own route.
//
// Used while the table is compiled and by `trestle check`; pure, any thread. Nothing here stops a
// message: at run time the origin and the hop count do, but what comes in over ZeroMQ is a new
// message, and so a circle of endpoints that are connected to each other is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/mapping.h"

namespace trestle {

/// So many pairs of rules are told one by one; the others are counted.
inline constexpr size_t kMaxSharedPairs = 100;

/// One route, as far as the table is concerned. Endpoint names; empty = the rule has not that way.
struct GraphRule {
    std::string name;
    const Mapping* mapping = nullptr;  // never null; outlives the call
    std::string from;
    std::string to;
    std::string dead_letter;           // a topic; empty = none
    std::vector<std::string> exclude;  // topic filters that the rule leaves alone
    bool is_shared = false;            // in a group: apart from other rules with the same `to`
    bool takes_any_key = false;        // messages of `from` carry no key
};

/// What leaves by endpoint `sender` may arrive at endpoint `receiver`: one connects to the address
/// that the other binds. An endpoint is always taken to be wired to itself.
struct EndpointWire {
    std::string sender;
    std::string receiver;
};

struct RouteFinding {
    enum class Kind : uint8_t { cycle, shared_endpoint, dead_letter };
    Kind kind = Kind::cycle;
    bool is_fault = false;      // else a warning
    std::vector<size_t> rules;  // where they stand in the list; a cycle is in order; may be empty
    std::string sentence;
};

/// Everything that is to be said about the table, in the order of the rules:
/// - cycles: one for each knot of rules that can hand a message round; when it is unsure whether
///   two patterns have something in common, they are taken to have it. A fault where wires alone
///   close it and a message was seen to come back;
/// - pairs of rules with topics in common and the same `to`: such a message goes once, by the rule
///   that wins (see wins_over());
/// - a `dead_letter` that its own route takes (a fault).
[[nodiscard]] std::vector<RouteFinding> examine_routes(const std::vector<GraphRule>& rules,
                                                       const std::vector<EndpointWire>& wires = {});

/// Of two rules with the same `to`, whether `rules[a]` gets a topic that both take: the more
/// specific one, or the earlier in the file.
[[nodiscard]] bool wins_over(const std::vector<GraphRule>& rules, size_t a, size_t b);

}  // namespace trestle
