// A job board without sockets or a clock, and what it wanted to be sent.
//
// Used by the tests of the board only; single-threaded, nothing in it fails.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../core/fakes.h"
#include "core/hub.h"
#include "zmq/work/job_board.h"

namespace trestle::zmq {

class Outcomes final : public AckReceiver {
 public:
    void on_settled(uint64_t token, Outcome outcome) override {
        EXPECT_TRUE(told.emplace(token, outcome).second) << "told twice";
    }
    std::map<uint64_t, Outcome> told;
};

/// Remembers what the board wants to be sent.
class Recorder final : public JobBoard::Outside {
 public:
    struct HandedJob {
        std::string peer;
        uint64_t tag;
        std::string payload;
        uint32_t attempt;
    };
    Handed hand_out(JobBoard::Leases leases) override {
        if (unreachable.contains(leases[0]->worker->peer)) return Handed::gone;
        if (not_reading.contains(leases[0]->worker->peer)) return Handed::full;
        messages.push_back(leases.size());
        for (const Lease* lease : leases) {
            handed.push_back({lease->worker->peer, lease->tag,
                              std::string(lease->job->item.message->view().payload),
                              lease->job->attempts});
        }
        return Handed::yes;
    }
    bool beat(const Worker& worker) override {
        beats.push_back(worker.peer);
        return !unreachable.contains(worker.peer);
    }
    void dismiss(const Worker& worker) override { dismissed.push_back(worker.peer); }
    void progress(const Job& /*job*/, JobBoard::Frames /*body*/) override { ++progressed; }
    void ended(const Job& job, JobEnd end, JobBoard::Frames /*body*/) override {
        ends.emplace_back(job.item.message->view().payload, end);
    }
    void turned_away(const MessageView& message) override {
        sent_away.emplace_back(message.payload);
    }

    std::vector<HandedJob> handed;
    std::vector<size_t> messages;  ///< how many jobs were in each
    std::vector<std::string> beats, dismissed, sent_away;
    std::vector<std::pair<std::string, JobEnd>> ends;
    std::set<std::string> unreachable;
    std::set<std::string> not_reading;  ///< their pipe is full
    int progressed = 0;
};

class JobBoardTest : public testing::Test {
 protected:
    JobBoardTest() : hub_(1), shard_(hub_, 0, executor_, timers_, nobody_else_) {
        options_.name = "r";
    }
    ~JobBoardTest() override {
        EXPECT_EQ(0, books_.balance());
        if (line_) board_.drop_line(at(), *line_, DropReason::shutdown);
        EXPECT_EQ(0, books_.balance());
        EXPECT_EQ(0, books_.ledger.queue_messages->value());
        EXPECT_EQ(0, books_.ledger.queue_bytes->value());
        EXPECT_EQ(0, books_.ledger.in_flight->value());
        EXPECT_EQ(0, without_worker_.value());
        board_.dismiss_all(at());
        EXPECT_EQ(0U, board_.leases());
        EXPECT_EQ(0U, board_.services());
        executor_.run();
        EXPECT_EQ(awaited_, outcomes_->told.size());
    }

    class Sink final : public RouteSink {
     public:
        explicit Sink(JobBoardTest& test) : test_(test) {}
        void accept(ShardIndex /*shard*/, const RoutePtr& /*route*/, std::string_view key,
                    Delivery& delivery) override {
            test_.board_.offer(test_.at(), *test_.line_, key, delivery);
        }

     private:
        JobBoardTest& test_;
    };

    [[nodiscard]] At at() const { return {0, now_}; }

    void make_line(const char* mqtt = "t/{id}", const char* zmq = "s", const char* key = nullptr) {
        std::vector<MappingFault> faults, warnings;
        auto mapping = Mapping::compile({mqtt, zmq, true, false}, faults, warnings);
        std::optional<Mapping> order;
        if (key != nullptr) order = Mapping::compile({mqtt, key, true, false}, faults, warnings);
        ASSERT_TRUE(mapping);
        const auto route = std::make_shared<Route>(options_, *mapping, EndpointId{1}, &sink_,
                                                   EndpointId{0}, books_.ledger, order);
        line_ = std::make_unique<JobLine>(board_, route, options_, books_.ledger, &without_worker_);
        hub_.set_routes({route});
    }

    uint64_t publish(const std::string& topic, const std::string& payload,
                     Qos qos = Qos::at_least_once) {
        if (!line_) make_line();
        MessageView message;
        message.topic = topic;
        message.payload = payload;
        message.qos = qos;
        const std::weak_ptr<AckReceiver> waiter = outcomes_;
        const bool waits = qos != Qos::at_most_once;
        const auto result =
            shard_.publish(message, publisher_, waits ? &waiter : nullptr, ++token_);
        if (result.pending) ++awaited_;
        return token_;
    }
    Worker& worker(const std::string& peer, uint32_t window = 1, const char* service = "s") {
        board_.join(at(), {.peer = peer, .connection = 7, .service = service, .window = window});
        return *board_.find(peer);
    }
    JobBoard::Answer reply(const std::string& peer, uint64_t tag) {
        return board_.reply(at(), *board_.find(peer), tag, {});
    }
    std::vector<std::string> payloads() const {
        std::vector<std::string> all;
        for (const auto& one : outside_.handed) all.push_back(one.payload);
        return all;
    }
    Outcome told(uint64_t token) {
        executor_.run();
        const auto found = outcomes_->told.find(token);
        return found == outcomes_->told.end() ? Outcome::not_retained : found->second;
    }

    uint64_t now_ = 1000;
    RouteOptions options_;
    BoardRules rules_{.heartbeat_ms = 100,
                      .liveness = 3,
                      .lease_ms = 1000,
                      .max_lease_ms = 3000,
                      .max_attempts = 3};
    test::RouteBooks books_{1};
    Recorder outside_;
    test::FakeExecutor executor_;
    TimerQueue timers_;
    Hub hub_;
    test::FakeCarrier nobody_else_;  // there is one shard only
    HubShard shard_;
    Publisher publisher_;
    std::shared_ptr<Outcomes> outcomes_ = std::make_shared<Outcomes>();
    Gauge workers_{1};
    Gauge without_worker_{1};
    JobBoard board_{rules_, outside_, {.workers = &workers_}, 1};
    Sink sink_{*this};
    std::unique_ptr<JobLine> line_;
    uint64_t token_ = 0;
    size_t awaited_ = 0;
};

}  // namespace trestle::zmq
