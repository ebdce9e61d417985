#include "zmq/push_endpoint.h"

#include <set>

#include "test_gateway.h"

namespace trestle::zmq {
namespace {

TestGateway::RouteSpec jobs(RouteOptions options = {}) {
    return {"jobs", "job/{n}", "job.{n}", "out", "", options};
}

double queued(const TestGateway& gateway, const std::string& route = "jobs") {
    return gateway.metric("trestle_route_queue_messages", {{"route", route}});
}

class Outcomes final : public AckReceiver {
 public:
    void on_settled(uint64_t token, Outcome outcome) override {
        const std::lock_guard guard(mutex_);
        told_.emplace_back(token, outcome);
    }
    std::vector<std::pair<uint64_t, Outcome>> told() {
        const std::lock_guard guard(mutex_);
        return told_;
    }

 private:
    std::mutex mutex_;
    std::vector<std::pair<uint64_t, Outcome>> told_;
};
using Told = std::vector<std::pair<uint64_t, Outcome>>;

TEST(PushEndpoint, JobsWaitForTheFirstWorkerInOrder) {
    constexpr int kJobs = 3000;
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({jobs()});
    for (int i = 0; i < kJobs; ++i) {
        EXPECT_EQ(Outcome::accepted,
                  gateway.publish({"job/" + std::to_string(i), "x", Qos::at_least_once}).outcome);
    }
    EXPECT_EQ(kJobs, queued(gateway));
    Peer worker(ZMQ_PULL, push.bound_address());
    for (int i = 0; i < kJobs; ++i) {
        ASSERT_EQ((Parts{"job." + std::to_string(i), "x"}), worker.receive());
    }
    EXPECT_TRUE(eventually([&] { return gateway.outcome("jobs", "sent") == kJobs; }));
    EXPECT_EQ(kJobs, gateway.outcome("jobs", "queued"));
    EXPECT_EQ(0, queued(gateway));
    EXPECT_EQ(0, gateway.metric("trestle_route_queue_bytes"));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
    EXPECT_EQ(kJobs, gateway.metric("trestle_messages_sent_total", {{"endpoint", "out"}}));
}

TEST(PushEndpoint, TwoWorkersShare) {
    constexpr int kJobs = 2000;
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({jobs()});
    Peer one(ZMQ_PULL, push.bound_address());
    Peer two(ZMQ_PULL, push.bound_address());
    ASSERT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 2; }));
    for (int i = 0; i < kJobs; ++i) gateway.publish({"job/" + std::to_string(i), "x"});
    std::set<std::string> seen;
    size_t of_one = 0;
    for (auto* peer : {&one, &two}) {
        while (seen.size() < kJobs) {
            const auto frames = peer->receive(peer == &one ? 300 : 5000);
            if (frames.empty()) break;
            ASSERT_TRUE(seen.insert(frames[0]).second) << frames[0] << " came twice";
            of_one += peer == &one ? 1 : 0;
        }
    }
    EXPECT_EQ(size_t{kJobs}, seen.size());
    EXPECT_GT(of_one, size_t{kJobs / 4});
    EXPECT_LT(of_one, size_t{kJobs / 4 * 3});
}

TEST(PushEndpoint, SlowWorkersGetEverythingThatFitsTheQueue) {
    constexpr int kJobs = 20'000;
    TestGateway gateway(2);
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push", {{"send_hwm", int64_t{2}}}));
    gateway.set_routes({jobs()});
    Peer worker(ZMQ_PULL, push.bound_address(), [](void* s) {
        set_option(s, ZMQ_RCVHWM, 2);
        set_option(s, ZMQ_RCVBUF, 4096);
    });
    std::thread publisher([&] {
        for (int i = 0; i < kJobs; ++i) {
            gateway.publish({"job/" + std::to_string(i), "x"}, static_cast<size_t>(i % 2));
        }
    });
    for (int i = 0; i < kJobs; ++i) {
        ASSERT_EQ((Parts{"job." + std::to_string(i), "x"}), worker.receive());
    }
    publisher.join();
    EXPECT_TRUE(eventually([&] { return gateway.outcome("jobs", "sent") == kJobs; }));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
}

TEST(PushEndpoint, RoutesTakeTurns) {
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({{"a", "a/{n}", "a.{n}", "out", ""}, {"b", "b/{n}", "b.{n}", "out", ""}});
    for (int i = 0; i < 3; ++i) gateway.publish({"a/" + std::to_string(i), "x"});
    for (int i = 0; i < 3; ++i) gateway.publish({"b/" + std::to_string(i), "x"});
    Peer worker(ZMQ_PULL, push.bound_address());
    for (const auto* key : {"a.0", "b.0", "a.1", "b.1", "a.2", "b.2"}) {
        EXPECT_EQ(key, worker.receive().at(0));
    }
}

TEST(PushEndpoint, AFullQueueKeepsThePublisherWaitingAndThenAcceptsOrRefuses) {
    TestGateway gateway(2);
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    RouteOptions options;
    options.max_messages = 2;
    options.block_ms = 300;
    gateway.set_routes({jobs(options)});
    const auto outcomes = std::make_shared<Outcomes>();
    const std::weak_ptr<AckReceiver> waiter = outcomes;
    for (uint64_t i = 1; i <= 4; ++i) {
        // The endpoint's home is shard 0; its timer must be set from here, too.
        const auto result =
            gateway.publish({"job/" + std::to_string(i), "x", Qos::at_least_once}, 1, &waiter, i);
        EXPECT_EQ(i > 2, result.pending);
    }
    EXPECT_EQ(4, queued(gateway));
    ASSERT_TRUE(eventually([&] { return outcomes->told().size() == 2; }));
    EXPECT_EQ((Told{{3, Outcome::queue_full}, {4, Outcome::queue_full}}), outcomes->told());
    EXPECT_EQ(2, gateway.outcome("jobs", "refused"));
    EXPECT_EQ(0, gateway.imbalance("jobs"));

    const auto last = gateway.publish({"job/5", "x", Qos::at_least_once}, 1, &waiter, 5);
    EXPECT_TRUE(last.pending);
    Peer worker(ZMQ_PULL, push.bound_address());
    for (const auto* key : {"job.1", "job.2", "job.5"}) EXPECT_EQ(key, worker.receive().at(0));
    ASSERT_TRUE(eventually([&] { return outcomes->told().size() == 3; }));
    EXPECT_EQ(Outcome::accepted, outcomes->told().back().second);
    EXPECT_EQ(0, gateway.imbalance("jobs"));
}

TEST(PushEndpoint, ARemovedRouteDrainsForAWhile) {
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({jobs()});
    gateway.publish({"job/1", "x"});
    gateway.set_routes({}, 5000);
    Peer worker(ZMQ_PULL, push.bound_address());
    EXPECT_EQ((Parts{"job.1", "x"}), worker.receive());
}

TEST(PushEndpoint, WhatARemovedRouteCannotSendIsDropped) {
    TestGateway gateway;
    gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({jobs()});
    gateway.publish({"job/1", "x"});
    gateway.set_routes({}, 20);
    EXPECT_TRUE(eventually([&] { return gateway.dropped("out", "route_removed") == 1; }));
    EXPECT_EQ(0, queued(gateway));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
}

TEST(PushEndpoint, ARouteThatComesBackKeepsItsQueue) {
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({jobs()});
    gateway.publish({"job/1", "x"});
    gateway.set_routes({}, 50);
    RouteOptions options;
    options.max_messages = 1;
    options.when_full = WhenFull::drop_newest;
    gateway.set_routes({jobs(options)}, 50);
    // The drain time of the removal passes without effect.
    std::promise<void> later;
    TestGateway::run_on(gateway.shard(0), [&] { gateway.shard(0).touch_clock(); });
    Timer timer(
        gateway.shard(0).timers(),
        [](void* promise) { static_cast<std::promise<void>*>(promise)->set_value(); }, &later);
    TestGateway::run_on(gateway.shard(0), [&] { timer.set(gateway.shard(0).now_ms() + 100); });
    later.get_future().wait();
    gateway.publish({"job/2", "x"});
    EXPECT_EQ(1, gateway.dropped("out", "queue_full"));
    Peer worker(ZMQ_PULL, push.bound_address());
    EXPECT_EQ((Parts{"job.1", "x"}), worker.receive());
}

TEST(PushEndpoint, StopWithoutWorkersDropsAtOnce) {
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    gateway.set_routes({jobs()});
    for (int i = 0; i < 5; ++i) gateway.publish({"job/1", "x"});
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(gateway.stop(push, 8000));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
    EXPECT_EQ(5, gateway.dropped("out", "shutdown"));
    gateway.publish({"job/1", "late"});
    EXPECT_EQ(6, gateway.dropped("out", "shutdown"));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
}

TEST(PushEndpoint, StopDeliversToWorkersThatRead) {
    constexpr int kJobs = 5000;
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push", {{"send_hwm", int64_t{5}}}));
    gateway.set_routes({jobs()});
    Peer worker(ZMQ_PULL, push.bound_address(), [](void* s) { set_option(s, ZMQ_RCVHWM, 5); });
    ASSERT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 1; }));
    const std::string payload(2000, 'x');
    for (int i = 0; i < kJobs; ++i) gateway.publish({"job/" + std::to_string(i), payload});
    ASSERT_GT(queued(gateway), 0);
    auto stopped = std::async(std::launch::async, [&] { return gateway.stop(push, 10'000); });
    for (int i = 0; i < kJobs; ++i) {
        ASSERT_EQ("job." + std::to_string(i), worker.receive().at(0));
    }
    EXPECT_TRUE(stopped.get());
    EXPECT_EQ(kJobs, gateway.outcome("jobs", "sent"));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
}

TEST(PushEndpoint, StopDoesNotWaitForAWorkerThatHangs) {
    TestGateway gateway;
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push", {{"send_hwm", int64_t{1}}}));
    gateway.set_routes({jobs()});
    Peer worker(ZMQ_PULL, push.bound_address(), [](void* s) { set_option(s, ZMQ_RCVHWM, 1); });
    ASSERT_TRUE(eventually([&] { return gateway.metric("trestle_zmq_peers") == 1; }));
    const std::string large(1'000'000, 'x');
    for (int i = 0; i < 40; ++i) gateway.publish({"job/1", large});
    ASSERT_GT(queued(gateway), 0);
    ASSERT_TRUE(gateway.stop(push, 300));
    EXPECT_GT(gateway.dropped("out", "shutdown"), 0);
    EXPECT_EQ(40, gateway.dropped("out", "shutdown") + gateway.outcome("jobs", "sent"));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
}

TEST(PushEndpoint, WorkersMayBeConnectedTo) {
    TestGateway gateway;
    Peer worker(ZMQ_PULL, "inproc://unused");
    ASSERT_EQ(0, zmq_bind(worker.get(), "tcp://127.0.0.1:*"));
    char address[64];
    size_t size = sizeof address;
    ASSERT_EQ(0, zmq_getsockopt(worker.get(), ZMQ_LAST_ENDPOINT, address, &size));
    using List = std::vector<std::string>;
    gateway.add<PushEndpoint>("out",
                              settings_for("push", {{"bind", List{}}, {"connect", List{address}}}));
    gateway.set_routes({jobs()});
    gateway.publish({"job/1", "x"});
    EXPECT_EQ((Parts{"job.1", "x"}), worker.receive());
}

TEST(PushEndpoint, BooksBalanceWhileWorkersComeAndGo) {
    TestGateway gateway(3);
    auto& push = gateway.add<PushEndpoint>("out", settings_for("push"));
    RouteOptions options;
    options.max_messages = 500;
    gateway.set_routes({jobs(options)});
    std::vector<std::thread> publishers;
    for (size_t shard = 0; shard < 3; ++shard) {
        publishers.emplace_back([&gateway, shard] {
            for (int i = 0; i < 3000; ++i) gateway.publish({"job/1", "x"}, shard);
        });
    }
    for (int i = 0; i < 10; ++i) {
        Peer worker(ZMQ_PULL, push.bound_address());
        for (int j = 0; j < 100; ++j) worker.receive(50);
    }
    for (auto& publisher : publishers) publisher.join();
    ASSERT_TRUE(gateway.stop(push, 1000));
    EXPECT_EQ(9000, gateway.metric("trestle_route_matched_total"));
    EXPECT_EQ(0, gateway.imbalance("jobs"));
    EXPECT_EQ(0, queued(gateway));
}

}  // namespace
}  // namespace trestle::zmq
