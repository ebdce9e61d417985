// The routing table as a whole: cycles, shared endpoints, dead letters.
#include "core/route_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace trestle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = RouteFinding::Kind;

/// Rules, and the mappings they point to.
class Table {
 public:
    GraphRule& add(const std::string& name, const std::string& mqtt, const std::string& zmq,
                   const std::string& from, const std::string& to) {
        std::vector<MappingFault> faults;
        std::vector<MappingFault> warnings;
        auto mapping = Mapping::compile({mqtt, zmq, !to.empty(), !from.empty()}, faults, warnings);
        EXPECT_TRUE(mapping) << (faults.empty() ? "" : faults[0].sentence);
        mappings_.push_back(std::move(mapping.value()));
        rules.push_back({name, &mappings_.back(), from, to, {}, {}});
        return rules.back();
    }

    std::vector<RouteFinding> find(Kind kind, const std::vector<EndpointWire>& wires = {}) {
        auto findings = examine_routes(rules, wires);
        std::erase_if(findings, [&](const auto& finding) { return finding.kind != kind; });
        return findings;
    }

    std::vector<GraphRule> rules;

 private:
    std::deque<Mapping> mappings_;
};

TEST(RouteGraph, AChainOfTwoEndpointsThatComesBack) {
    Table t;
    t.add("a", "x/{id}", "x.{id}", "left", "right");
    t.add("b", "x/{id}", "x.{id}", "right", "left");
    const auto cycles = t.find(Kind::cycle);
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_THAT(cycles[0].rules, ElementsAre(0U, 1U));
    EXPECT_THAT(cycles[0].sentence, HasSubstr("a -> b -> a"));
    EXPECT_FALSE(cycles[0].is_fault);
}

TEST(RouteGraph, NoCycleWhereTopicsOrKeysDiffer) {
    Table topics;
    topics.add("a", "x/{id}", "k.{id}", "left", "");
    topics.add("b", "y/{id}", "k.{id}", "", "right");
    topics.add("c", "z/{id}", "k.{id}", "right", "");
    topics.add("d", "z/{id}", "k.{id}", "", "left");
    EXPECT_TRUE(topics.find(Kind::cycle).empty());
    Table keys;
    keys.add("a", "x/{id}", "left.{id}", "left", "");
    keys.add("b", "x/{id}", "right.{id}", "", "right");
    keys.add("c", "x/{id}", "other.{id}", "right", "");
    keys.add("d", "x/{id}", "left.{id}", "", "left");
    EXPECT_TRUE(keys.find(Kind::cycle).empty());
}

TEST(RouteGraph, FourRulesInACircle) {
    Table t;
    t.add("in_left", "x/{id}", "k.{id}", "left", "");
    t.add("out_right", "x/{id}", "k.{id}", "", "right");
    t.add("in_right", "y/{id}", "k.{id}", "right", "");
    t.add("out_left", "y/7", "k.7", "", "left");
    const auto cycles = t.find(Kind::cycle);
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_THAT(cycles[0].rules, ElementsAre(0U, 1U, 2U, 3U));
}

TEST(RouteGraph, OneRuleBetweenWiredEndpoints) {
    Table t;
    t.add("mirror", "x/{id}", "x.{id}", "sub", "pub");
    EXPECT_TRUE(t.find(Kind::cycle).empty());
    const auto cycles = t.find(Kind::cycle, {{"pub", "sub"}});
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_THAT(cycles[0].sentence, HasSubstr("mirror -> mirror"));
    EXPECT_TRUE(t.find(Kind::cycle, {{"sub", "pub"}}).empty());
}

TEST(RouteGraph, WhatSurelyGoesRoundByWiresIsAFault) {
    const std::vector<EndpointWire> wires{{"pub", "sub"}};
    Table t;
    t.add("there", "x/{id}", "x.{id}", "", "pub");
    t.add("back", "x/{id}", "x.{id}", "sub", "");
    auto cycles = t.find(Kind::cycle, wires);
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_TRUE(cycles[0].is_fault);
    EXPECT_THAT(cycles[0].sentence, HasSubstr("for ever: back -> there -> back"));
    // Not for the topic that was tried: it may, but it is not certain.
    t.rules[0].exclude = {"x/x"};
    cycles = t.find(Kind::cycle, wires);
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_FALSE(cycles[0].is_fault);
    EXPECT_THAT(cycles[0].sentence, HasSubstr("can go round"));
}

TEST(RouteGraph, AKeyThatNobodyLooksAtClosesACircleToo) {
    const std::vector<EndpointWire> wires{{"push", "pull"}};
    Table t;
    t.add("there", "x/{id}", "x.{id}", "", "push");
    t.add("back", "x/new", "any", "pull", "").takes_any_key = true;
    auto cycles = t.find(Kind::cycle, wires);
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_TRUE(cycles[0].is_fault);
    t.rules[1].takes_any_key = false;
    EXPECT_TRUE(t.find(Kind::cycle, wires).empty());
}

TEST(RouteGraph, DeadLettersThatGoRound) {
    Table t;
    t.add("one", "a", "a", "", "workers").dead_letter = "b";
    t.add("two", "b", "b", "", "workers").dead_letter = "a";
    const auto cycles = t.find(Kind::cycle);
    ASSERT_EQ(cycles.size(), 1U);
    EXPECT_FALSE(cycles[0].is_fault);
    EXPECT_THAT(cycles[0].sentence, AllOf(HasSubstr("one -> two -> one"), HasSubstr("hop count")));
    t.rules[1].exclude = {"b"};
    EXPECT_TRUE(t.find(Kind::cycle).empty());
}

TEST(RouteGraph, BackToTheSameEndpointIsStoppedByOrigin) {
    Table t;
    t.add("both", "x/{id}", "x.{id}", "jobs", "jobs");
    t.add("in", "x/{id}", "x.{id}", "jobs", "");
    EXPECT_TRUE(t.find(Kind::cycle).empty());
}

TEST(RouteGraph, EachKnotIsToldOnce) {
    Table t;
    for (const std::string side : {"a", "b"}) {
        t.add(side + "1", side + "/{id}", side + ".{id}", side + "_left", side + "_right");
        t.add(side + "2", side + "/{id}", side + ".{id}", side + "_right", side + "_left");
        t.add(side + "3", side + "/{id}", side + ".{id}", side + "_right", side + "_left");
    }
    const auto cycles = t.find(Kind::cycle);
    ASSERT_EQ(cycles.size(), 2U);
    EXPECT_THAT(cycles[0].rules, ElementsAre(0U, 1U));
    EXPECT_THAT(cycles[1].rules, ElementsAre(3U, 4U));
}

TEST(RouteGraph, ExcludeBreaksACycle) {
    Table t;
    t.add("a", "x/{id}", "x.{id}", "left", "");
    t.add("b", "x/{id}", "x.{id}", "", "right").exclude = {"x/#"};
    t.add("c", "x/{id}", "x.{id}", "right", "");
    t.add("d", "x/{id}", "x.{id}", "", "left");
    EXPECT_TRUE(t.find(Kind::cycle).empty());
    t.rules[1].exclude = {"x/1"};
    EXPECT_EQ(t.find(Kind::cycle).size(), 1U);
}

TEST(RouteGraph, RulesThatSendTheSameTopicsToOneEndpoint) {
    Table t;
    t.add("all", "s/{rest...}", "s.{rest...}", "", "pub");
    t.add("one", "s/{id}/t", "t.{id}", "", "pub");
    t.add("twin", "s/{other}/t", "u.{other}", "", "pub");
    t.add("elsewhere", "s/{id}/t", "t.{id}", "", "push");
    t.add("apart", "q/{id}", "q.{id}", "", "pub");
    const auto found = t.find(Kind::shared_endpoint);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_THAT(found[0].rules, ElementsAre(0U, 1U));
    EXPECT_THAT(found[0].sentence, HasSubstr("by 'one', which is more specific"));
    EXPECT_THAT(found[1].rules, ElementsAre(0U, 2U));
    EXPECT_THAT(found[2].rules, ElementsAre(1U, 2U));
    EXPECT_THAT(found[2].sentence, HasSubstr("by 'one', which stands first"));
    EXPECT_FALSE(found[2].is_fault);
    EXPECT_TRUE(wins_over(t.rules, 1, 0));
    EXPECT_FALSE(wins_over(t.rules, 2, 1));
    t.rules[0].exclude = {"s/+/t"};
    EXPECT_EQ(t.find(Kind::shared_endpoint).size(), 1U);
}

TEST(RouteGraph, ManyPairsAreCounted) {
    Table t;
    for (int i = 0; i < 20; ++i) t.add(std::to_string(i), "x/{id}", "x.{id}", "", "pub");
    const auto found = t.find(Kind::shared_endpoint);
    ASSERT_EQ(found.size(), kMaxSharedPairs + 1);
    EXPECT_THAT(found.back().sentence, HasSubstr("90 more pairs"));
}

TEST(RouteGraph, DeadLettersOfTheirOwnRoute) {
    Table t;
    auto& rule = t.add("encode", "video/{id}/uploaded", "encode", "", "workers");
    rule.dead_letter = "video/failed/uploaded";
    const auto found = t.find(Kind::dead_letter);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].is_fault);
    EXPECT_THAT(found[0].sentence, HasSubstr("matches its own template 'video/{id}/uploaded'"));
    rule.exclude = {"video/failed/#"};
    EXPECT_TRUE(t.find(Kind::dead_letter).empty());
    rule.exclude.clear();
    rule.dead_letter = "dead/video";
    EXPECT_TRUE(t.find(Kind::dead_letter).empty());
}

}  // namespace
}  // namespace trestle
