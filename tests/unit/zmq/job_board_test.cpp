// The job board without sockets or a clock, by hand.
#include "job_board_fixture.h"

namespace trestle::zmq {
namespace {

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

TEST_F(JobBoardTest, AWorkerThatForgetsItsJobIsToldToBeginAnewWhenItsTimeIsOver) {
    worker("forgetful");
    worker("busy");
    publish("t/1", "x");
    publish("t/1", "y");
    const uint64_t end = now_ + rules_.max_lease_ms + rules_.lease_ms;
    while (now_ < end) {
        ASSERT_NE(nullptr, board_.find("forgetful")) << now_;
        now_ += 100;
        board_.heard(at(), *board_.find("forgetful"));
        board_.tick(at());
    }
    EXPECT_EQ(nullptr, board_.find("forgetful"));
    EXPECT_EQ((Strings{"forgetful"}), outside_.dismissed);
    // The other one says nothing: it may be at it still, and its reply counts.
    now_ += 2 * end;
    board_.tick(at());
    ASSERT_NE(nullptr, board_.find("busy"));
    EXPECT_EQ(JobBoard::Answer::late,
              board_.reply(at(), *board_.find("busy"), outside_.handed[1].tag, {}));
    EXPECT_EQ("busy", outside_.handed.back().peer);  // and gets what the other has not done
    EXPECT_EQ("x", outside_.handed.back().payload);
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

TEST_F(JobBoardTest, JobsForAServiceThatNoWorkerOffersAreTold) {
    make_line("t/{id}", "s{id}", "{id}");
    for (const char* topic : {"t/1", "t/1", "t/2"}) publish(topic, "x");
    EXPECT_EQ(3, without_worker_.value()) << "also one that waits for its key's turn";
    worker("a", 1, "s1");
    EXPECT_EQ(1, without_worker_.value());
    board_.leave(at(), *board_.find("a"));
    EXPECT_EQ(3, without_worker_.value()) << "what it had comes back";
    worker("b", 1, "s2");
    reply("b", outside_.handed.back().tag);
    EXPECT_EQ(2, without_worker_.value());
    board_.drop_line(at(), *line_, DropReason::route_removed);
    EXPECT_EQ(0, without_worker_.value());
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

TEST_F(JobBoardTest, AWorkerThatWantsItGetsSeveralJobsInOneMessage) {
    for (const char* payload : {"1", "2", "3", "4", "5"}) publish("t/1", payload);
    board_.join(at(), {.peer = "a", .service = "s", .window = 4, .bundle = 3});
    EXPECT_EQ((Strings{"1", "2", "3", "4"}), payloads());
    EXPECT_EQ((std::vector<size_t>{3, 1}), outside_.messages);
    reply("a", outside_.handed[1].tag);
    EXPECT_EQ((Strings{"1", "2", "3", "4", "5"}), payloads());
}

TEST_F(JobBoardTest, SeveralJobsForAWorkerThatIsGoneStayInOrder) {
    for (const char* payload : {"1", "2", "3"}) publish("t/1", payload);
    outside_.unreachable = {"a"};
    board_.join(at(), {.peer = "a", .service = "s", .window = 4, .bundle = 4});
    EXPECT_EQ(0U, board_.leases());
    worker("b", 3);
    EXPECT_EQ((Strings{"1", "2", "3"}), payloads());
    EXPECT_EQ(1U, outside_.handed[0].attempt);
}

TEST_F(JobBoardTest, LargeJobsGoOneByOne) {
    const std::string large(JobBoard::kMostBundleBytes, 'x');
    for (int i = 0; i < 2; ++i) publish("t/1", large);
    for (int i = 0; i < 2; ++i) publish("t/1", "small");
    board_.join(at(), {.peer = "a", .service = "s", .window = 9, .bundle = 9});
    EXPECT_EQ((std::vector<size_t>{1, 1, 2}), outside_.messages);
}

TEST_F(JobBoardTest, WhatWasNotTriedCostsNoAttempt) {
    worker("a");
    publish("t/1", "x");
    for (uint32_t i = 0; i < 2 * rules_.max_attempts; ++i) {
        ASSERT_EQ(i + 1, outside_.handed.size());
        EXPECT_EQ(1U, outside_.handed[i].attempt);
        board_.give_back(at(), *board_.find("a"), outside_.handed[i].tag, {.is_untried = true});
    }
    EXPECT_TRUE(outside_.ends.empty());
}

}  // namespace
}  // namespace trestle::zmq
