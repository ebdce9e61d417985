#include "server/exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin_api/metrics.h"

namespace trestle {
namespace {

TEST(Exporter, WritesCountersAndGaugesWithHelpAndType) {
    Metrics metrics(2);
    Counter& received = metrics.counter("trestle_messages_received_total", "Messages received.",
                                        {{"endpoint", "devices"}, {"qos", "1"}});
    received.add(0, 3);
    received.add(1, 4);
    metrics.counter("trestle_messages_received_total", "", {{"endpoint", "web"}, {"qos", "0"}})
        .add(0, 1);
    metrics.gauge("trestle_connections", "Open connections.").set(1, -2);
    metrics.gauge_from("trestle_lag_seconds", "Lag.", {}, [] { return 0.25; });
    EXPECT_EQ(prometheus_text(metrics),
              "# HELP trestle_connections Open connections.\n"
              "# TYPE trestle_connections gauge\n"
              "trestle_connections -2\n"
              "# HELP trestle_lag_seconds Lag.\n"
              "# TYPE trestle_lag_seconds gauge\n"
              "trestle_lag_seconds 0.25\n"
              "# HELP trestle_messages_received_total Messages received.\n"
              "# TYPE trestle_messages_received_total counter\n"
              "trestle_messages_received_total{endpoint=\"devices\",qos=\"1\"} 7\n"
              "trestle_messages_received_total{endpoint=\"web\",qos=\"0\"} 1\n");
}

TEST(Exporter, LargeCountersLoseNoDigits) {
    Metrics metrics(1);
    metrics.counter("trestle_bytes_total", "Bytes.").add(0, 9007199254740991);
    EXPECT_THAT(prometheus_text(metrics),
                testing::HasSubstr("trestle_bytes_total 9007199254740991\n"));
}

TEST(Exporter, EscapesLabelValues) {
    Metrics metrics(1);
    metrics.gauge("trestle_g", "G.", {{"route", "a\"b\\c\nd"}}).set(0, 1);
    EXPECT_THAT(prometheus_text(metrics),
                testing::HasSubstr("trestle_g{route=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Exporter, WritesHistogramsWithCumulativeBuckets) {
    Metrics metrics(1);
    Histogram& wait =
        metrics.histogram("trestle_wait_seconds", "Wait.", {0.5, 2}, {{"route", "r"}});
    for (const double seconds : {0.25, 0.5, 1.0, 4.0, 8.0}) wait.observe(0, seconds);
    EXPECT_EQ(prometheus_text(metrics),
              "# HELP trestle_wait_seconds Wait.\n"
              "# TYPE trestle_wait_seconds histogram\n"
              "trestle_wait_seconds_count{route=\"r\"} 5\n"
              "trestle_wait_seconds_sum{route=\"r\"} 13.75\n"
              "trestle_wait_seconds_bucket{route=\"r\",le=\"0.5\"} 2\n"
              "trestle_wait_seconds_bucket{route=\"r\",le=\"2\"} 3\n"
              "trestle_wait_seconds_bucket{route=\"r\",le=\"+Inf\"} 5\n");
}

TEST(Exporter, BuildInfo) {
    Metrics metrics(1);
    add_build_info(metrics, "1.2.3", "abcdef");
    EXPECT_THAT(prometheus_text(metrics),
                testing::HasSubstr("trestle_build_info{version=\"1.2.3\",commit=\"abcdef\"} 1\n"));
}

TEST(Exporter, PromtoolFindsNoFault) {
    if (system("command -v promtool >/dev/null 2>&1") != 0) GTEST_SKIP() << "promtool is missing";
    Metrics metrics(2);
    add_build_info(metrics, "1.2.3", "abcdef");
    metrics.counter("trestle_messages_dropped_total", "Messages dropped, by reason.",
                    {{"endpoint", "d\"\\\n"}, {"reason", "queue_full"}});
    metrics.gauge("trestle_sessions", "Sessions.", {{"state", "connected"}}).set(0, 1);
    metrics.histogram("trestle_latency_seconds", "Latency.", {0.001, 0.1}).observe(0, 0.01);
    FILE* promtool = popen("promtool check metrics", "w");
    ASSERT_NE(promtool, nullptr);
    const std::string text = prometheus_text(metrics);
    ASSERT_EQ(fwrite(text.data(), 1, text.size(), promtool), text.size());
    EXPECT_EQ(pclose(promtool), 0) << text;
}

}  // namespace
}  // namespace trestle
