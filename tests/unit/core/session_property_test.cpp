// Random lives of a session: whatever happens, every copy is in exactly one place of the books, the
// bounds hold, and each QoS 1 and 2 message leaves at most once per connection, in order.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/session.h"
#include "fakes.h"

namespace trestle {
namespace {

using test::Books;
using test::FakeSink;
using test::World;

class Life {
 public:
    explicit Life(uint32_t seed) : random_(seed) {
        limits_.max_queued_messages = 1 + below(20);
        limits_.max_queued_bytes = 20 + below(400);
        limits_.max_inflight = static_cast<uint16_t>(1 + below(30));
        limits_.drop_oldest = below(2) == 0;
        limits_.queue_qos0_offline = below(2) == 0;
        session_ = std::make_unique<Session>(world_[0], "c", limits_, books_.ledger);
        session_->subscribe("t", {.qos = Qos::exactly_once});
    }

    void live(int steps) {
        for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
            step();
            check();
        }
        if (below(2) == 0) session_->drop_all(DropReason::shutdown);
        session_.reset();
        EXPECT_EQ(books_.balance(), 0);
        EXPECT_EQ(books_.in_flight.value(), 0);
        EXPECT_EQ(books_.queue_messages.value(), 0);
        EXPECT_EQ(books_.queue_bytes.value(), 0);
        EXPECT_EQ(world_.hub.session_bytes().held(), 0);
        EXPECT_EQ(books_.matched.value(), published_);
    }

 private:
    size_t below(size_t n) { return random_() % n; }

    void step() {
        switch (below(12)) {
            case 0:
                if (!session_->attached()) attach();
                break;
            case 1:
                if (session_->attached() && below(4) == 0) session_->detach();
                break;
            case 2:
                world_.set_now(now_ += below(30));
                break;
            case 3:
                sink_.room = below(10);
                session_->pump();
                break;
            case 4:
            case 5:
            case 6:
            case 7:
                acknowledge();
                break;
            default:
                publish();
        }
    }
    void attach() {
        sink_ = {};
        seen_ = 0;
        pending_.clear();
        released_seen_ = 0;
        sink_.room = below(20);
        sink_.largest = 4 + below(60);
        window_ = static_cast<uint16_t>(1 + below(40));
        session_->attach(sink_, window_);
    }
    void publish() {
        // The number in front tells the messages apart.
        std::string payload = std::to_string(++published_);
        payload.append(below(50), '.');
        MessageView view = test::message("t", payload, static_cast<int>(below(3)));
        if (below(3) == 0) view.expires_at_ms = now_ + below(50);
        world_[0].publish(view, publisher_);
    }
    // Some packet of this connection, mostly not the oldest.
    void acknowledge() {
        if (!session_->attached() || pending_.empty()) return;
        auto at = pending_.begin();
        std::advance(at, static_cast<ptrdiff_t>(below(pending_.size())));
        const auto [id, qos] = *at;
        if (qos == Qos::at_least_once) {
            EXPECT_TRUE(session_->on_puback(id));
            pending_.erase(id);
        } else if (below(4) == 0) {
            EXPECT_TRUE(session_->on_pubrec(id, true));
            pending_.erase(id);
        } else {
            EXPECT_TRUE(session_->on_pubrec(id, false));
            released_seen_ = sink_.released.size();
            if (below(2) == 0) {
                EXPECT_TRUE(session_->on_pubcomp(id));
                pending_.erase(id);
            }
        }
    }
    // What has been written since the last time, as the client sees it.
    void read() {
        uint64_t last = 0;
        for (size_t i = 0; i < seen_; ++i) {
            last = std::max<uint64_t>(last, std::stoull(sink_.sent[i].payload));
        }
        for (; seen_ < sink_.sent.size(); ++seen_) {
            const auto& one = sink_.sent[seen_];
            const uint64_t number = std::stoull(one.payload);
            EXPECT_GT(number, last) << "out of order, or twice";
            last = number;
            if (one.qos == Qos::at_most_once) continue;
            EXPECT_NE(one.packet_id, 0);
            EXPECT_TRUE(pending_.emplace(one.packet_id, one.qos).second) << "an id in use";
        }
        for (; released_seen_ < sink_.released.size(); ++released_seen_) {
            pending_.emplace(sink_.released[released_seen_], Qos::exactly_once);
        }
        EXPECT_LE(pending_.size(), std::min(window_, limits_.max_inflight));
    }
    void check() {
        if (session_->attached()) read();
        EXPECT_EQ(books_.balance(), 0);
        EXPECT_EQ(books_.dropped.value(), books_.reasons_sum());
        EXPECT_EQ(books_.in_flight.value(), static_cast<int64_t>(session_->in_flight()));
        EXPECT_EQ(books_.queue_messages.value(), static_cast<int64_t>(session_->queued()));
        EXPECT_EQ(books_.queue_bytes.value(), static_cast<int64_t>(session_->queued_bytes()));
        EXPECT_LE(session_->queued(), limits_.max_queued_messages);
        EXPECT_LE(session_->queued_bytes(), limits_.max_queued_bytes);
    }

    std::mt19937 random_;
    World world_{1};
    Books books_;
    SessionLimits limits_;
    Publisher publisher_;
    FakeSink sink_;
    std::unique_ptr<Session> session_;
    uint64_t now_ = 0;
    uint64_t published_ = 0;
    uint16_t window_ = 0;
    size_t seen_ = 0;
    size_t released_seen_ = 0;
    std::map<uint16_t, Qos> pending_;  // the client owes an answer
};

TEST(SessionProperty, TheBooksBalanceInEveryLife) {
    for (uint32_t seed = 1; seed <= 300; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Life(seed).live(400);
        if (testing::Test::HasFailure()) return;
    }
}

// A window whose oldest message is never acknowledged, over several turns of the packet ids.
TEST(SessionProperty, AStuckMessageCostsNeitherMemoryNorOrder) {
    World world(1);
    Books books;
    const SessionLimits limits;
    Publisher publisher;
    FakeSink sink;
    std::mt19937 random(7);
    Session session(world[0], "c", limits, books.ledger);
    session.subscribe("t", {.qos = Qos::at_least_once});
    session.attach(sink, 20);
    std::vector<uint16_t> open;
    for (int i = 0; i < 200'000; ++i) {
        if (open.size() < 19) {
            world[0].publish(test::message("t", "", 1), publisher);
            const uint16_t id = sink.sent.back().packet_id;
            ASSERT_EQ(std::count(open.begin(), open.end(), id), 0);
            if (i != 0) open.push_back(id);
            ASSERT_TRUE(i == 0 || id != 1);
            sink.sent.clear();
        } else {
            const size_t place = random() % open.size();
            ASSERT_TRUE(session.on_puback(open[place]));
            open.erase(open.begin() + static_cast<ptrdiff_t>(place));
        }
    }
    EXPECT_EQ(session.in_flight(), open.size() + 1);
    EXPECT_TRUE(session.on_puback(1));
}

}  // namespace
}  // namespace trestle
