// What the board does when no more bytes may be with workers, or a worker takes no more.
#include "job_board_fixture.h"

namespace trestle::zmq {
namespace {

constexpr size_t kMost = 1000;  // bytes with workers

class JobBoardLimitsTest : public JobBoardTest {
 protected:
    JobBoardLimitsTest() { rules_.max_in_flight_bytes = kMost; }
    ~JobBoardLimitsTest() override {
        requests_.reset();
        EXPECT_EQ(0U, narrow_ ? narrow_->services() : 0U);
    }

    JobBoard& board() {
        if (!narrow_) {
            narrow_.emplace(rules_, outside_, BoardCounters{}, 1);
            requests_ = std::make_unique<JobLine>(*narrow_, nullptr, options_, books_.ledger);
        }
        return *narrow_;
    }
    void ask(const char* service, size_t size, uint64_t expires_ms = kNeverExpires) {
        const std::string payload(size, service[0]);
        MessageView view;
        view.payload = payload;
        view.expires_at_ms = expires_ms;
        JobBoard& asked = board();
        Delivery delivery(Message::copy_of(view), publisher_, executor_);
        books_.ledger.matched->add(0);
        auto client = std::make_unique<ClientAddress>();
        client->service = service;
        asked.request(at(), *requests_, std::move(client), delivery);
    }
    void join(const char* peer, const char* service, uint32_t window = 1) {
        board().join(at(), {.peer = peer, .service = service, .window = window, .bundle = window});
    }
    /// Of the job that was handed out as number `i`.
    void answer(size_t i) {
        const auto& handed = outside_.handed.at(i);
        board().reply(at(), *board().find(handed.peer), handed.tag, {});
    }
    void end() { board().drop_line(at(), *requests_, DropReason::shutdown); }
    [[nodiscard]] std::string order() const {
        std::string all;
        for (const auto& one : outside_.handed) all += one.payload[0];
        return all;
    }

 private:
    std::optional<JobBoard> narrow_;
    std::unique_ptr<JobLine> requests_;
};

TEST_F(JobBoardLimitsTest, WhoWaitsInVainForAPlaceIsToldOf) {
    options_.max_messages = 1;
    options_.block_ms = 500;
    publish("t/1", "has a place");
    publish("t/1", "waits");
    line_->refuse_overdue(0, now_ + 499);
    EXPECT_TRUE(outside_.sent_away.empty());
    now_ += 500;
    line_->refuse_overdue(0, now_);
    EXPECT_EQ((std::vector<std::string>{"waits"}), outside_.sent_away);
}

TEST_F(JobBoardLimitsTest, BytesWithWorkersAreBounded) {
    join("a", "s", 9);
    for (const size_t size : {600, 300, 200, 5000, 10}) ask("s", size);
    ASSERT_EQ(2U, outside_.handed.size());
    answer(0);
    EXPECT_EQ(3U, outside_.handed.size());
    answer(1);
    EXPECT_EQ(3U, outside_.handed.size()) << "larger than all: it goes alone";
    answer(2);
    EXPECT_EQ(4U, outside_.handed.size());
    answer(3);
    EXPECT_EQ(5U, outside_.handed.size());
    end();
    board().dismiss_all(at());
}

TEST_F(JobBoardLimitsTest, ServicesThatWaitForRoomTakeTurns) {
    for (const char* name : {"a", "b", "c"}) join(name, name);
    for (int i = 0; i < 4; ++i) {
        for (const char* name : {"a", "b", "c"}) ask(name, 600);
    }
    for (size_t i = 0; i < 12; ++i) answer(i);
    EXPECT_EQ("abcabcabcabc", order());
    board().dismiss_all(at());
}

TEST_F(JobBoardLimitsTest, SmallJobsDoNotPassALargeOneForEver) {
    join("s", "small", 9);
    join("l", "large");
    for (int i = 0; i < 3; ++i) ask("small", 300);
    ask("large", 800);
    for (int i = 0; i < 3; ++i) ask("small", 100);
    EXPECT_EQ("sss", order());
    for (size_t i = 0; i < 3; ++i) answer(i);
    EXPECT_EQ("sssls", order());
    end();
    board().dismiss_all(at());
}

TEST_F(JobBoardLimitsTest, AServiceThatWaitsForRoomTwiceIsForgottenOnce) {
    join("t", "t", 2);
    join("b", "s");
    ask("t", 500);
    ask("t", 400);
    ask("s", 600, now_ + 10);
    ask("s", 600);
    now_ += 20;
    answer(1);  // the expired one is dropped, the next has no room
    EXPECT_EQ("tt", order());
    end();
    board().leave(at(), *board().find("b"));
    board().leave(at(), *board().find("t"));  // bytes come back, and the service is gone
}

TEST_F(JobBoardLimitsTest, AWorkerWhosePipeIsFullStaysAndGetsTheJobLater) {
    join("busy", "s", 5);
    outside_.not_reading.insert("busy");
    ask("s", 10);
    EXPECT_EQ("", order());
    EXPECT_NE(nullptr, board().find("busy"));
    join("idle", "s");
    EXPECT_EQ("s", order());
    EXPECT_EQ("idle", outside_.handed[0].peer);
    EXPECT_EQ(1U, outside_.handed[0].attempt);
    ask("s", 10);
    EXPECT_EQ("s", order());
    outside_.not_reading.clear();
    now_ += rules_.heartbeat_ms;
    board().heard(at(), *board().find("busy"));
    board().tick(at());
    EXPECT_EQ("ss", order());
    EXPECT_EQ("busy", outside_.handed[1].peer);
    end();
    board().dismiss_all(at());
}

TEST_F(JobBoardLimitsTest, AWorkerThatHasRoomAgainGetsTheJobAtOnce) {
    join("busy", "s", 5);
    outside_.not_reading.insert("busy");
    ask("s", 10);
    outside_.not_reading.clear();
    ask("s", 10);
    EXPECT_EQ("", order()) << "nobody has said so yet";
    board().room_again(at(), *board().find("busy"));
    EXPECT_EQ("ss", order());
    board().room_again(at(), *board().find("busy"));
    EXPECT_EQ("ss", order());
    end();
    board().dismiss_all(at());
}

}  // namespace
}  // namespace trestle::zmq
