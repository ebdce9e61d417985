#include "core/route_graph.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "core/overlap_tree.h"
#include "core/template.h"
#include "core/topic.h"

namespace trestle {
namespace {

/// Whether a topic can be both rules', as far as their `exclude` lists leave any.
bool share_topics(const GraphRule& a, const GraphRule& b, bool with_exclude_of_a) {
    if (!a.mapping->topics_overlap(*b.mapping)) return false;
    const auto leaves_out = [](const GraphRule& rule, const std::string& filter) {
        return std::any_of(rule.exclude.begin(), rule.exclude.end(),
                           [&](const auto& excluded) { return filter_covers(excluded, filter); });
    };
    if (leaves_out(b, a.mapping->mqtt_filter())) return false;
    return !with_exclude_of_a || !leaves_out(a, b.mapping->mqtt_filter());
}

bool takes(const GraphRule& rule, std::string_view topic) {
    return rule.mapping->matches_topic(topic) &&
           std::none_of(rule.exclude.begin(), rule.exclude.end(),
                        [&](const auto& filter) { return filter_matches(filter, topic); });
}

/// A rule brings a message in, or sends one out.
struct Step {
    size_t rule;
    bool is_out;
};

/// Steps of messages through the gateway. Node 2r: rule r brings one in; node 2r+1: rule r sends
/// one out.
class StepGraph {
 public:
    StepGraph(const std::vector<GraphRule>& rules, const std::vector<EndpointWire>& wires)
        : next_(2 * rules.size()), knot_(2 * rules.size(), 0) {
        OverlapTree senders;
        std::map<std::string_view, std::vector<size_t>> by_source;
        for (size_t i = 0; i < rules.size(); ++i) {
            if (!rules[i].to.empty()) senders.add(rules[i].mapping->mqtt_filter(), i);
            if (!rules[i].from.empty()) by_source[rules[i].from].push_back(i);
        }
        for (size_t a = 0; a < rules.size(); ++a) {
            add_steps_inside(rules, senders, a);
            add_steps_outside(rules, by_source, wires, a);
            add_steps_of_failures(rules, senders, a);
            std::ranges::sort(next_[2 * a + 1]);
        }
        find_knots();
    }

    /// A shortest cycle of each knot, in order; it begins with a rule that brings a message in
    /// where it has one.
    [[nodiscard]] std::vector<std::vector<Step>> cycles() const {
        std::vector<std::vector<Step>> found;
        std::vector<bool> is_done(next_.size() + 1);
        for (const size_t first : {0, 1}) {
            for (size_t node = first; node < next_.size(); node += 2) {
                if (is_done[knot_[node]]) continue;
                const std::vector<size_t> nodes = cycle_from(node);
                if (nodes.empty()) continue;
                is_done[knot_[node]] = true;
                auto& steps = found.emplace_back();
                for (const size_t n : nodes) steps.push_back({n / 2, n % 2 == 1});
            }
        }
        return found;
    }

 private:
    /// Rules that take topics which rule `a` makes. A message never goes back to where it came
    /// from.
    void add_steps_inside(const std::vector<GraphRule>& rules, const OverlapTree& senders,
                          size_t a) {
        const GraphRule& in = rules[a];
        if (in.from.empty()) return;
        for (const size_t b : senders.overlapping(in.mapping->mqtt_filter())) {
            const GraphRule& out = rules[b];
            if (in.from != out.to && share_topics(in, out, false)) {
                next_[2 * a].push_back(2 * b + 1);
            }
        }
    }

    /// Rules by which what rule `a` sends can come in again.
    void add_steps_outside(const std::vector<GraphRule>& rules,
                           const std::map<std::string_view, std::vector<size_t>>& by_source,
                           const std::vector<EndpointWire>& wires, size_t a) {
        const GraphRule& out = rules[a];
        if (out.to.empty()) return;
        std::set<std::string_view> receivers{out.to};
        for (const auto& wire : wires) {
            if (wire.sender == out.to) receivers.insert(wire.receiver);
        }
        for (const std::string_view receiver : receivers) {
            const auto takers = by_source.find(receiver);
            if (takers == by_source.end()) continue;
            for (const size_t b : takers->second) {
                if (rules[b].takes_any_key || out.mapping->keys_overlap(*rules[b].mapping)) {
                    next_[2 * a + 1].push_back(2 * b);
                }
            }
        }
    }

    /// Other rules that take the dead letters of rule `a`.
    void add_steps_of_failures(const std::vector<GraphRule>& rules, const OverlapTree& senders,
                               size_t a) {
        const std::string& letter = rules[a].dead_letter;
        if (rules[a].to.empty() || letter.empty()) return;
        for (const size_t b : senders.overlapping(letter)) {
            if (b != a && takes(rules[b], letter)) next_[2 * a + 1].push_back(2 * b + 1);
        }
    }

    /// Strongly connected parts (Tarjan's algorithm, with its stack on the heap): only within one
    /// can a cycle be, so one search for each is enough.
    void find_knots() {
        const size_t count = next_.size();
        std::vector<size_t> order(count, 0);
        std::vector<size_t> low(count, 0);
        std::vector<bool> is_open(count);
        std::vector<size_t> open;
        std::vector<std::pair<size_t, size_t>> path;  // node, edges taken
        size_t clock = 0;
        size_t knots = 0;
        for (size_t root = 0; root < count; ++root) {
            if (order[root] != 0) continue;
            path.emplace_back(root, 0);
            while (!path.empty()) {
                const auto [node, edge] = path.back();
                if (edge == 0) {
                    order[node] = low[node] = ++clock;
                    open.push_back(node);
                    is_open[node] = true;
                }
                if (edge < next_[node].size()) {
                    ++path.back().second;
                    const size_t to = next_[node][edge];
                    if (order[to] == 0) {
                        path.emplace_back(to, 0);
                    } else if (is_open[to]) {
                        low[node] = std::min(low[node], order[to]);
                    }
                    continue;
                }
                path.pop_back();
                if (!path.empty()) {
                    size_t& above = low[path.back().first];
                    above = std::min(above, low[node]);
                }
                if (low[node] != order[node]) continue;
                ++knots;
                for (size_t member = count; member != node;) {
                    member = open.back();
                    open.pop_back();
                    is_open[member] = false;
                    knot_[member] = knots;
                }
            }
        }
    }

    /// Breadth first from `start` back to it; empty when there is no way.
    [[nodiscard]] std::vector<size_t> cycle_from(size_t start) const {
        const size_t nowhere = next_.size();
        std::vector<size_t> came_from(next_.size(), nowhere);
        std::deque<size_t> queue{start};
        while (!queue.empty()) {
            const size_t node = queue.front();
            queue.pop_front();
            for (const size_t to : next_[node]) {
                if (knot_[to] != knot_[start]) continue;
                if (to == start) {
                    std::vector<size_t> steps;
                    for (size_t at = node; at != start; at = came_from[at]) steps.push_back(at);
                    steps.push_back(start);
                    std::reverse(steps.begin(), steps.end());
                    return steps;
                }
                if (came_from[to] != nowhere) continue;
                came_from[to] = node;
                queue.push_back(to);
            }
        }
        return {};
    }

    std::vector<std::vector<size_t>> next_;
    std::vector<size_t> knot_;
};

/// Whether a message comes back to where it was, by nothing but wires and for certain: one is sent
/// round.
bool goes_round(const std::vector<GraphRule>& rules, const std::vector<Step>& steps) {
    const size_t start = steps.front().is_out ? 0 : 1;
    std::string topic = rules[steps[start].rule].mapping->sample_topic(), key;
    for (size_t i = 0; i <= steps.size(); ++i) {
        const Step& step = steps[(start + i) % steps.size()];
        const Step& next = steps[(start + i + 1) % steps.size()];
        const GraphRule& rule = rules[step.rule];
        if (step.is_out) {
            const GraphRule& receiver = rules[next.rule];
            const bool is_wire = !next.is_out && rule.to != receiver.from;
            if (!is_wire || !takes(rule, topic) || !rule.mapping->to_zmq(topic, key)) return false;
            if (receiver.takes_any_key) key = receiver.mapping->spec().zmq;
        } else if (!rule.mapping->to_mqtt(key, topic)) {
            return false;
        }
    }
    return true;
}

RouteFinding cycle_finding(const std::vector<GraphRule>& rules, const std::vector<Step>& steps) {
    RouteFinding finding;
    std::string names;
    bool leaves = false;
    for (const Step& step : steps) {
        leaves = leaves || !step.is_out;
        if (!finding.rules.empty() && finding.rules.back() == step.rule) continue;
        finding.rules.push_back(step.rule);
        names += rules[step.rule].name + " -> ";
    }
    const size_t first = finding.rules.front();
    if (finding.rules.size() > 1 && finding.rules.back() == first) {
        finding.rules.pop_back();
        names = names.substr(0, names.size() - rules[first].name.size() - 4);
    }
    names += rules[first].name;
    finding.is_fault = goes_round(rules, steps);
    if (finding.is_fault) {
        finding.sentence = "messages go round in a circle for ever: " + names +
                           "; their endpoints are connected to each other, and what comes in over "
                           "ZeroMQ is a new message; use other topics or keys, or exclude them";
    } else if (leaves) {
        finding.sentence = "messages can go round in a circle: " + names +
                           "; what comes in over ZeroMQ is a new message, so that nothing ends it "
                           "when peers send back what they get";
    } else {
        finding.sentence = "messages can go round in a circle: " + names +
                           "; each time round they are routed again, until their hop count ends it";
    }
    return finding;
}

std::optional<RouteFinding> dead_letter_finding(const std::vector<GraphRule>& rules, size_t i) {
    const GraphRule& rule = rules[i];
    if (rule.dead_letter.empty() || !takes(rule, rule.dead_letter)) return std::nullopt;
    RouteFinding finding;
    finding.kind = RouteFinding::Kind::dead_letter;
    finding.is_fault = true;
    finding.rules = {i};
    finding.sentence = "dead_letter " + quoted(rule.dead_letter) + " of route " +
                       quoted(rule.name) + " matches its own template " +
                       quoted(rule.mapping->spec().mqtt) +
                       ", so what failed would be tried again for ever; use another topic, or "
                       "exclude it";
    return finding;
}

std::optional<RouteFinding> shared_endpoint_finding(const std::vector<GraphRule>& rules, size_t a,
                                                    size_t b) {
    const GraphRule& first = rules[a];
    const GraphRule& second = rules[b];
    if (first.is_shared || second.is_shared) return std::nullopt;
    if (first.to.empty() || first.to != second.to || !share_topics(first, second, true)) {
        return std::nullopt;
    }
    const bool is_tie = first.mapping->compare_specificity(*second.mapping) == 0;
    const size_t winner = wins_over(rules, a, b) ? a : b;
    RouteFinding finding;
    finding.kind = RouteFinding::Kind::shared_endpoint;
    finding.rules = {a, b};
    finding.sentence = "routes " + quoted(first.name) + " and " + quoted(second.name) +
                       " have topics in common and both send to " + quoted(first.to) +
                       "; such a message goes there once, by " + quoted(rules[winner].name) +
                       (is_tie ? ", which stands first" : ", which is more specific");
    return finding;
}

}  // namespace

bool wins_over(const std::vector<GraphRule>& rules, size_t a, size_t b) {
    const auto order = rules[a].mapping->compare_specificity(*rules[b].mapping);
    return order == 0 ? a < b : order > 0;
}

std::vector<RouteFinding> examine_routes(const std::vector<GraphRule>& rules,
                                         const std::vector<EndpointWire>& wires) {
    std::vector<RouteFinding> findings;
    for (const auto& steps : StepGraph(rules, wires).cycles()) {
        findings.push_back(cycle_finding(rules, steps));
    }
    std::map<std::string_view, OverlapTree> by_target;
    for (size_t a = 0; a < rules.size(); ++a) {
        if (!rules[a].to.empty()) by_target[rules[a].to].add(rules[a].mapping->mqtt_filter(), a);
    }
    size_t pairs = 0;
    for (size_t a = 0; a < rules.size(); ++a) {
        if (auto finding = dead_letter_finding(rules, a)) findings.push_back(std::move(*finding));
        if (rules[a].to.empty()) continue;
        const auto& neighbours = by_target[rules[a].to];
        for (const size_t b : neighbours.overlapping(rules[a].mapping->mqtt_filter())) {
            if (b <= a) continue;
            auto finding = shared_endpoint_finding(rules, a, b);
            if (finding && ++pairs <= kMaxSharedPairs) findings.push_back(std::move(*finding));
        }
    }
    if (pairs > kMaxSharedPairs) {
        RouteFinding more;
        more.kind = RouteFinding::Kind::shared_endpoint;
        more.sentence = std::to_string(pairs - kMaxSharedPairs) +
                        " more pairs of routes have topics and an endpoint in common";
        findings.push_back(std::move(more));
    }
    return findings;
}

}  // namespace trestle
