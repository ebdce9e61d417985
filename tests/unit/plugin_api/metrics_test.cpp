#include "plugin_api/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <thread>

namespace trestle {
namespace {

using testing::ElementsAre;

const Metrics::Family* find(const std::vector<Metrics::Family>& families, std::string_view name) {
    for (const auto& family : families) {
        if (family.name == name) return &family;
    }
    return nullptr;
}

TEST(Metrics, SumsTheCellsOfAllShardsAndOfTheMainThread) {
    Metrics metrics(3);
    Counter& sent = metrics.counter("trestle_sent_total", "Sent", {{"endpoint", "a"}});
    sent.add(0);
    sent.add(1, 10);
    sent.add(2, 100);
    sent.add(metrics.outside(), 1000);
    EXPECT_EQ(sent.value(), 1111u);

    Gauge& open = metrics.gauge("trestle_open", "Open");
    open.add(0, 5);
    open.add(1, -2);
    open.set(metrics.outside(), 7);
    EXPECT_EQ(open.value(), 10);
}

TEST(Metrics, SameNameAndLabelsInAnyOrderAreTheSameMetric) {
    Metrics metrics(1);
    Counter& a = metrics.counter("trestle_x_total", "X", {{"endpoint", "e"}, {"qos", "1"}});
    Counter& b =
        metrics.counter("trestle_x_total", "other words", {{"qos", "1"}, {"endpoint", "e"}});
    Counter& c = metrics.counter("trestle_x_total", "X", {{"endpoint", "e"}, {"qos", "2"}});
    EXPECT_EQ(&a, &b);
    EXPECT_NE(&a, &c);
    const auto families = metrics.read();
    ASSERT_EQ(families.size(), 1u);
    EXPECT_EQ(families[0].help, "X");
    ASSERT_EQ(families[0].samples.size(), 2u);
    EXPECT_THAT(families[0].samples[0].labels,
                ElementsAre(std::pair<std::string, std::string>("endpoint", "e"),
                            std::pair<std::string, std::string>("qos", "1")));
}

TEST(Metrics, FamiliesAreReadInOrderOfName) {
    Metrics metrics(1);
    metrics.gauge("trestle_zebra", "Z").set(0, 1);
    metrics.counter("trestle_ant_total", "A").add(0, 2);
    metrics.gauge_from("trestle_middle", "M", {}, [] { return 2.5; });
    const auto families = metrics.read();
    ASSERT_EQ(families.size(), 3u);
    EXPECT_EQ(families[0].name, "trestle_ant_total");
    EXPECT_EQ(families[0].kind, Metrics::Kind::counter);
    EXPECT_EQ(families[1].name, "trestle_middle");
    EXPECT_EQ(families[1].samples[0].value, 2.5);
    EXPECT_EQ(families[2].name, "trestle_zebra");
}

TEST(Metrics, ForgottenSeriesAreKeptButNotShownUntilMadeAgain) {
    Metrics metrics(1);
    Counter& gone = metrics.counter("trestle_r_total", "R", {{"route", "old"}});
    Counter& stays = metrics.counter("trestle_r_total", "R", {{"route", "new"}});
    Gauge& depth = metrics.gauge("trestle_depth", "D", {{"route", "old"}});
    gone.add(0, 3);
    stays.add(0, 1);
    metrics.forget("route", "old");
    gone.add(0, 4);
    depth.set(0, 1);

    auto families = metrics.read();
    ASSERT_EQ(families.size(), 1u) << "a family without series is not shown";
    ASSERT_EQ(families[0].samples.size(), 1u);
    EXPECT_EQ(families[0].samples[0].labels[0].second, "new");

    Counter& again = metrics.counter("trestle_r_total", "R", {{"route", "old"}});
    EXPECT_EQ(&again, &gone);
    families = metrics.read();
    ASSERT_EQ(families[0].samples.size(), 2u);
    EXPECT_EQ(families[0].samples[0].value, 7);
}

TEST(Metrics, ForgetGoesByLabelAndValueTogether) {
    Metrics metrics(1);
    metrics.gauge("trestle_g", "G", {{"endpoint", "old"}});
    metrics.forget("route", "old");
    EXPECT_EQ(metrics.read().size(), 1u);
    metrics.forget("endpoint", "ol");
    EXPECT_EQ(metrics.read().size(), 1u);
    metrics.forget("endpoint", "old");
    EXPECT_TRUE(metrics.read().empty());
}

TEST(Metrics, AForgottenFunctionIsDroppedAndNotCalled) {
    Metrics metrics(1);
    auto owner = std::make_shared<int>(5);
    std::weak_ptr<int> watched = owner;
    metrics.gauge_from("trestle_g", "G", {{"route", "r"}},
                       [held = std::move(owner)] { return static_cast<double>(*held); });
    EXPECT_EQ(metrics.read()[0].samples[0].value, 5);
    metrics.forget("route", "r");
    EXPECT_TRUE(watched.expired());
    EXPECT_TRUE(metrics.read().empty());
    metrics.gauge_from("trestle_g", "G", {{"route", "r"}}, [] { return 6.0; });
    EXPECT_EQ(metrics.read()[0].samples[0].value, 6);
}

TEST(Metrics, AHistogramCountsIntoTheBucketWhoseBoundIsNotBelow) {
    Metrics metrics(2);
    Histogram& h = metrics.histogram("trestle_wait_seconds", "W", {0.1, 1, 10});
    h.observe(0, 0.1);  // a bound belongs to its own bucket
    h.observe(0, 0.10001);
    h.observe(1, 10);
    h.observe(metrics.outside(), 11);
    h.observe(0, -1);
    h.observe(0, std::nan(""));
    const auto reading = h.read();
    EXPECT_THAT(reading.buckets, ElementsAre(2, 1, 1, 1));
    EXPECT_EQ(reading.count, 5u);
    EXPECT_DOUBLE_EQ(reading.sum, 0.1 + 0.10001 + 10 + 11 - 1);

    const auto families = metrics.read();
    const auto* family = find(families, "trestle_wait_seconds");
    ASSERT_NE(family, nullptr);
    EXPECT_THAT(*family->samples[0].upper_bounds, ElementsAre(0.1, 1, 10));
    EXPECT_EQ(family->samples[0].histogram.count, 5u);
}

TEST(Metrics, AHistogramOfManyBucketsKeepsRowsApart) {
    std::vector<double> bounds;
    for (int i = 1; i <= 20; ++i) bounds.push_back(i);
    Histogram h(3, bounds);
    for (ShardIndex shard = 0; shard < 3; ++shard) {
        for (int i = 1; i <= 21; ++i) h.observe(shard, i);
    }
    const auto reading = h.read();
    EXPECT_THAT(reading.buckets, testing::Each(3u));
    EXPECT_EQ(reading.buckets.size(), 21u);
    EXPECT_DOUBLE_EQ(reading.sum, 3.0 * 21 * 22 / 2);
}

TEST(Metrics, RefusesWhatPrometheusWouldNotTake) {
    Metrics metrics(1);
    const auto counter = [&](const char* name, Labels labels = {}) {
        metrics.counter(name, "help", std::move(labels));
    };
    EXPECT_THROW(counter("other_total"), std::logic_error);
    EXPECT_THROW(counter("trestle_a"), std::logic_error);
    EXPECT_THROW(counter("trestle_a b_total"), std::logic_error);
    EXPECT_THROW(counter("trestle_a_total", {{"1x", "v"}}), std::logic_error);
    EXPECT_THROW(counter("trestle_a_total", {{"", "v"}}), std::logic_error);
    EXPECT_THROW(counter("trestle_a_total", {{"le", "v"}}), std::logic_error);
    EXPECT_THROW(counter("trestle_a_total", {{"x", "v"}, {"x", "w"}}), std::logic_error);
    EXPECT_THROW(metrics.gauge("trestle_a_total", "help"), std::logic_error);
    EXPECT_THROW(metrics.gauge("trestle_a", ""), std::logic_error);
    EXPECT_THROW(metrics.gauge("trestle_a", "two\nlines"), std::logic_error);
    EXPECT_THROW(metrics.histogram("trestle_h", "h", {1, 1}), std::logic_error);
    EXPECT_THROW(metrics.histogram("trestle_h", "h", {INFINITY}), std::logic_error);
    EXPECT_TRUE(metrics.read().empty());
}

TEST(Metrics, RefusesOneNameOfTwoKinds) {
    Metrics metrics(1);
    metrics.gauge("trestle_a", "A");
    EXPECT_THROW(metrics.histogram("trestle_a", "A", {1}), std::logic_error);
    EXPECT_THROW(metrics.gauge_from("trestle_a", "A", {}, [] { return 0.0; }), std::logic_error);
    metrics.gauge_from("trestle_b", "B", {}, [] { return 0.0; });
    EXPECT_THROW(metrics.gauge("trestle_b", "B"), std::logic_error);
}

TEST(Metrics, ShardsWriteWhileOthersReadAndCreate) {
    constexpr size_t kShards = 3;
    constexpr uint64_t kRounds = 20000;
    Metrics metrics(kShards);
    Counter& counter = metrics.counter("trestle_c_total", "C");
    Histogram& histogram = metrics.histogram("trestle_h_seconds", "H", {0.5, 1.5});
    std::vector<std::thread> threads;
    for (ShardIndex shard = 0; shard < kShards; ++shard) {
        threads.emplace_back([&, shard] {
            for (uint64_t i = 0; i < kRounds; ++i) {
                counter.add(shard);
                histogram.observe(shard, static_cast<double>(i % 3));
            }
        });
    }
    threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) {
            metrics.counter("trestle_d_total", "D", {{"route", std::to_string(i)}}).add(0);
            metrics.forget("route", std::to_string(i / 2));
        }
    });
    uint64_t last = 0;
    for (int i = 0; i < 200; ++i) {
        const auto families = metrics.read();
        const auto now = static_cast<uint64_t>(find(families, "trestle_c_total")->samples[0].value);
        EXPECT_GE(now, last);
        last = now;
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(counter.value(), kShards * kRounds);
    EXPECT_EQ(histogram.read().count, kShards * kRounds);
}

}  // namespace
}  // namespace trestle
