// The job board without sockets or a clock: by hand, and under seeded faults.
#include "zmq/work/job_board.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/hub.h"

namespace trestle::zmq {
namespace {

class ManualExecutor final : public Executor {
 public:
    void post(std::function<void()> work) override { waiting_.push_back(std::move(work)); }
    void run() {
        while (!waiting_.empty()) {
            const auto work = std::move(waiting_.front());
            waiting_.pop_front();
            work();
        }
    }

 private:
    std::deque<std::function<void()>> waiting_;
};

class Outcomes final : public AckReceiver {
 public:
    void on_settled(uint64_t token, Outcome outcome) override {
        EXPECT_TRUE(told.emplace(token, outcome).second) << "told twice";
    }
    std::map<uint64_t, Outcome> told;
};

struct Books {
    std::deque<Counter> counters;
    std::deque<Gauge> gauges;
    RouteLedger ledger;

    Books() {
        for (Counter** place :
             {&ledger.matched, &ledger.sent, &ledger.acked, &ledger.queued, &ledger.refused,
              &ledger.timed_out, &ledger.dead_lettered, &ledger.dropped}) {
            *place = &counters.emplace_back(1);
        }
        for (Gauge** place : {&ledger.queue_messages, &ledger.queue_bytes, &ledger.in_flight}) {
            *place = &gauges.emplace_back(1);
        }
        for (auto& reason : ledger.reasons) reason = &counters.emplace_back(1);
    }
    [[nodiscard]] int64_t balance() const {
        const auto& l = ledger;
        const uint64_t out = l.sent->value() + l.acked->value() + l.refused->value() +
                             l.timed_out->value() + l.dead_lettered->value() + l.dropped->value();
        return static_cast<int64_t>(l.matched->value()) - static_cast<int64_t>(out) -
               l.queue_messages->value() - l.in_flight->value();
    }
};

/// Remembers what the board wants to be sent.
class Recorder final : public JobBoard::Outside {
 public:
    struct Handed {
        std::string peer;
        uint64_t tag;
        std::string payload;
        uint32_t attempt;
    };
    bool hand_out(const Lease& lease) override {
        if (unreachable.contains(lease.worker->peer)) return false;
        handed.push_back({lease.worker->peer, lease.tag,
                          std::string(lease.job->item.message->view().payload),
                          lease.job->attempts});
        return true;
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

    std::vector<Handed> handed;
    std::vector<std::string> beats, dismissed;
    std::vector<std::pair<std::string, JobEnd>> ends;
    std::set<std::string> unreachable;
    int progressed = 0;
};

class JobBoardTest : public testing::Test {
 protected:
    JobBoardTest() : hub_(1), shard_(hub_, 0, executor_, timers_) { options_.name = "r"; }
    ~JobBoardTest() override {
        EXPECT_EQ(0, books_.balance());
        if (line_) board_.drop_line(at(), *line_, DropReason::shutdown);
        EXPECT_EQ(0, books_.balance());
        EXPECT_EQ(0, books_.ledger.queue_messages->value());
        EXPECT_EQ(0, books_.ledger.queue_bytes->value());
        EXPECT_EQ(0, books_.ledger.in_flight->value());
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
        line_ = std::make_unique<JobLine>(board_, route, options_, books_.ledger);
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
    Books books_;
    Recorder outside_;
    ManualExecutor executor_;
    TimerQueue timers_;
    Hub hub_;
    HubShard shard_;
    Publisher publisher_;
    std::shared_ptr<Outcomes> outcomes_ = std::make_shared<Outcomes>();
    Gauge workers_{1};
    JobBoard board_{rules_, outside_, {.workers = &workers_}, 1};
    Sink sink_{*this};
    std::unique_ptr<JobLine> line_;
    uint64_t token_ = 0;
    size_t awaited_ = 0;
};

using Strings = std::vector<std::string>;

// The first answer makes room, and what is handed out for it finds the worker gone.
TEST_F(JobBoardTest, AWorkerStaysUntilAllItsAnswersAreTaken) {
    Worker& slow = worker("slow", 3);
    for (const char* payload : {"1", "2", "3", "4"}) publish("t/1", payload);
    const auto held = outside_.handed;
    ASSERT_EQ(3U, held.size());
    outside_.unreachable = {"slow"};
    board_.together(at(), [&] {
        for (size_t i = 0; i < 2; ++i) {
            EXPECT_EQ(JobBoard::Answer::settled, board_.reply(at(), slow, held[i].tag, {}));
            ASSERT_EQ(&slow, board_.find("slow"));
        }
    });
    EXPECT_EQ(2U, books_.ledger.acked->value());
    EXPECT_EQ(nullptr, board_.find("slow"));
    outside_.unreachable = {};
    worker("next", 3);
    EXPECT_EQ((Strings{"1", "2", "3", "3", "4"}), payloads());
}

TEST_F(JobBoardTest, WorkersTakeTurnsAndGetWhatTheirWindowHolds) {
    worker("a", 2);
    worker("b", 1);
    for (int i = 0; i < 5; ++i) publish("t/1", std::to_string(i));
    EXPECT_EQ((Strings{"0", "1", "2"}), payloads());
    EXPECT_EQ(2, books_.ledger.queue_messages->value());
    EXPECT_EQ(JobBoard::Answer::settled, reply("b", outside_.handed[1].tag));
    EXPECT_EQ((Strings{"0", "1", "2", "3"}), payloads());
    EXPECT_EQ("b", outside_.handed[3].peer);
}

TEST_F(JobBoardTest, AReplyByAnotherOrTwiceIsNoReply) {
    worker("a");
    worker("b");
    publish("t/1", "x");
    const uint64_t tag = outside_.handed[0].tag;
    EXPECT_EQ(JobBoard::Answer::unknown, reply("b", tag));
    EXPECT_EQ(JobBoard::Answer::unknown, reply("a", tag + 1));
    EXPECT_EQ(JobBoard::Answer::settled, reply("a", tag));
    EXPECT_EQ(JobBoard::Answer::unknown, reply("a", tag));
    EXPECT_EQ(1U, books_.ledger.acked->value());
}

TEST_F(JobBoardTest, WhatComesBackGoesBeforeWhatCameLater) {
    worker("a", 2);
    for (int i = 0; i < 4; ++i) publish("t/1", std::to_string(i));
    board_.connection_lost(at(), 7);
    worker("b", 4);
    EXPECT_EQ((Strings{"0", "1", "0", "1", "2", "3"}), payloads());
    EXPECT_EQ(2U, outside_.handed[2].attempt);
}

TEST_F(JobBoardTest, TheFirstReplySettlesWhoeverGivesIt) {
    options_.worker_acks = true;
    worker("a");
    const uint64_t token = publish("t/1", "x");
    now_ += rules_.lease_ms;
    board_.tick(at());
    EXPECT_EQ(1, books_.ledger.queue_messages->value());
    EXPECT_EQ(JobBoard::Answer::late, reply("a", outside_.handed[0].tag));  // still queued
    EXPECT_EQ(Outcome::accepted, told(token));
    EXPECT_EQ(1U, books_.ledger.acked->value());
}

TEST_F(JobBoardTest, SignsOfLifeRenewALeaseForSoLong) {
    worker("a");
    publish("t/1", "x");
    const uint64_t end = now_ + rules_.max_lease_ms;
    while (now_ < end - 100) {
        now_ += 100;
        board_.heard(at(), *board_.find("a"));
        board_.tick(at());
        ASSERT_EQ(1, books_.ledger.in_flight->value()) << now_;
    }
    now_ += 100;
    board_.heard(at(), *board_.find("a"));
    board_.tick(at());
    EXPECT_EQ(0, books_.ledger.in_flight->value());
}

TEST_F(JobBoardTest, AttemptsAreUsedUp) {
    options_.worker_acks = true;
    options_.dead_letter = "dead";
    const uint64_t token = publish("t/1", "x");
    for (uint32_t i = 0; i < rules_.max_attempts; ++i) {
        board_.leave(at(), worker("w" + std::to_string(i)));
    }
    EXPECT_EQ(Outcome::given_up, told(token));
    ASSERT_EQ(1U, outside_.ends.size());
    EXPECT_EQ(JobEnd::used_up, outside_.ends[0].second);
    EXPECT_EQ(1U, books_.ledger.dead_lettered->value());
}

TEST_F(JobBoardTest, AWorkerThatCannotBeReachedCostsNoAttempt) {
    outside_.unreachable = {"a"};
    worker("a");
    publish("t/1", "x");
    EXPECT_EQ(0U, board_.workers());
    worker("b");
    ASSERT_EQ(1U, outside_.handed.size());
    EXPECT_EQ(1U, outside_.handed[0].attempt);
}

TEST_F(JobBoardTest, GivenBackWithADelayOrForGood) {
    options_.worker_acks = true;
    worker("a");
    const uint64_t token = publish("t/1", "x");
    board_.give_back(at(), *board_.find("a"), outside_.handed[0].tag, {.delay_ms = 500});
    EXPECT_EQ(1U, outside_.handed.size());
    EXPECT_EQ(now_ + 100, board_.next_due_ms());
    now_ += 500;
    board_.heard(at(), *board_.find("a"));
    board_.tick(at());
    ASSERT_EQ(2U, outside_.handed.size());
    board_.give_back(at(), *board_.find("a"), outside_.handed[1].tag, {.for_good = true});
    EXPECT_EQ(Outcome::given_up, told(token));
}

TEST_F(JobBoardTest, OnlyIdleWorkersMustBeHeardOf) {
    worker("idle");
    worker("busy", 1, "other");
    make_line("t/{id}", "other");
    publish("t/1", "x");
    for (int i = 0; i < 4; ++i) {
        now_ += rules_.heartbeat_ms;
        board_.tick(at());
    }
    EXPECT_EQ((Strings{"idle"}), outside_.dismissed);
    EXPECT_NE(nullptr, board_.find("busy"));
}

TEST_F(JobBoardTest, OneJobForEachKey) {
    make_line("t/{id}", "s", "{id}");
    worker("a", 10);
    publish("t/x", "x0");
    publish("t/x", "x1");
    publish("t/y", "y0");
    EXPECT_EQ((Strings{"x0", "y0"}), payloads());
    reply("a", outside_.handed[0].tag);
    EXPECT_EQ((Strings{"x0", "y0", "x1"}), payloads());
}

TEST_F(JobBoardTest, AServiceWithoutWorkersHoldsUpNoOther) {
    make_line("t/{id}", "s{id}");
    publish("t/1", "1");
    publish("t/2", "2");
    worker("a", 1, "s2");
    EXPECT_EQ((Strings{"2"}), payloads());
}

TEST_F(JobBoardTest, ATimeOutWithdrawsWhereverTheJobIs) {
    options_.worker_acks = true;
    options_.timeout_ms = 500;
    worker("a");
    const uint64_t leased = publish("t/1", "leased");
    const uint64_t queued = publish("t/1", "queued");
    const uint64_t not_waiting = publish("t/1", "qos 0", Qos::at_most_once);
    now_ += 500;
    board_.tick(at());
    EXPECT_EQ(Outcome::timed_out, told(leased));
    EXPECT_EQ(Outcome::timed_out, told(queued));
    EXPECT_EQ(JobBoard::Answer::late, reply("a", outside_.handed[0].tag));
    EXPECT_EQ((Strings{"leased", "qos 0"}), payloads());
    EXPECT_NE(0U, not_waiting);
}

/// Whatever happens in whatever order: no job is lost or done twice as far as the board knows, the
/// books balance at each step, publishers are told once, and order by key is kept.
class JobBoardProperty : public JobBoardTest, public testing::WithParamInterface<unsigned> {};

TEST_P(JobBoardProperty, SeededFaults) {
    std::mt19937 random(GetParam());
    const auto some = [&](unsigned n) { return random() % n; };
    options_.worker_acks = some(2) == 0;
    options_.timeout_ms = 1000 + some(20'000);
    options_.max_messages = 5 + some(50);
    options_.block_ms = 500;
    const bool is_ordered = some(2) == 0;
    make_line("t/{id}", "s", is_ordered ? "{id}" : nullptr);
    std::vector<std::string> peers;
    std::vector<std::pair<std::string, uint64_t>> tags;  // all that were ever handed out
    std::map<std::string, int> last_of_key;
    size_t seen = 0;
    int next_worker = 0;
    int next_job = 0;
    for (int step = 0; step < 3000; ++step) {
        now_ += some(60);
        const unsigned what = some(100);
        if (what < 35) {
            // Order is kept among QoS 1 and 2, and among QoS 0.
            const std::string key = std::to_string(some(4));
            const auto qos = static_cast<Qos>(some(3));
            const char* row = qos == Qos::at_most_once ? "z:" : ":";
            publish("t/" + key, key + row + std::to_string(next_job++), qos);
        } else if (what < 43) {
            const std::string peer = "w" + std::to_string(next_worker++);
            worker(peer, 1 + some(4));
            peers.push_back(peer);
        } else if (what < 75 && !tags.empty()) {
            const auto& [peer, tag] =
                tags[tags.size() - 1 - some(std::min<unsigned>(8, unsigned(tags.size())))];
            if (board_.find(peer) != nullptr) reply(peer, tag);
        } else if (what < 80 && !peers.empty()) {
            const std::string peer = peers[some(unsigned(peers.size()))];
            if (Worker* one = board_.find(peer)) board_.leave(at(), *one);
        } else if (what < 83 && !peers.empty()) {
            outside_.unreachable.insert(peers[some(unsigned(peers.size()))]);
        } else if (what < 90 && !tags.empty()) {
            const auto& [peer, tag] = tags[some(unsigned(tags.size()))];
            if (Worker* one = board_.find(peer)) {
                board_.give_back(at(), *one, tag,
                                 {.delay_ms = some(2) * some(2000), .for_good = some(8) == 0});
            }
        } else if (!peers.empty()) {
            if (Worker* one = board_.find(peers[some(unsigned(peers.size()))])) {
                board_.heard(at(), *one);
            }
        }
        if (board_.next_due_ms() <= now_) board_.tick(at());
        if (line_->next_due_ms() <= now_) line_->refuse_overdue(0, now_);
        ASSERT_EQ(0, books_.balance()) << "step " << step;
        ASSERT_GT(board_.next_due_ms(), now_);
        for (; seen < outside_.handed.size(); ++seen) {
            const auto& one = outside_.handed[seen];
            tags.emplace_back(one.peer, one.tag);
            const auto colon = one.payload.find(':');
            int& last = last_of_key.try_emplace(one.payload.substr(0, colon), -1).first->second;
            const int number = std::stoi(one.payload.substr(colon + 1));
            if (is_ordered) {
                ASSERT_GE(number, last) << one.payload;
            }
            last = number;
        }
    }
    std::set<std::string> ended;
    for (const auto& [payload, end] : outside_.ends) {
        ASSERT_TRUE(ended.insert(payload).second) << payload << " ended twice";
    }
    EXPECT_GT(books_.ledger.acked->value(), 50U);
    executor_.run();
}

INSTANTIATE_TEST_SUITE_P(Seeds, JobBoardProperty, testing::Range(1U, 41U));

}  // namespace
}  // namespace trestle::zmq
