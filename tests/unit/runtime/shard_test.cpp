// Shards with their threads: work from outside, ends of turns, timers, and messages between shards.
#include "plugin_api/shard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <future>
#include <thread>

#include "fake_stream.h"
#include "runtime/shard_pool.h"

namespace trestle {
namespace {

using test::Board;

struct Task final : TurnTask {
    void end_of_turn() override { work(); }
    std::function<void()> work;
};

class Shards : public testing::Test {
 protected:
    Shards() { pool_.start(); }
    ~Shards() override { pool_.stop(); }
    void on(size_t shard, const std::function<void()>& work) {
        ShardPool::run_on(pool_[shard], work);
    }
    /// After the end of the turn that runs now, and of the one that this starts.
    void settle(size_t shard) {
        for (int i = 0; i < 3; ++i) on(shard, [] {});
    }
    Hub hub_{3};
    ShardPool pool_{hub_, 3};
    Board board_;
};

TEST_F(Shards, WorkFromOneThreadRunsInItsOrder) {
    constexpr int kThreads = 4;
    constexpr int kEach = 5000;
    std::vector<int> seen(kThreads, 0);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                pool_[1].post([&, t, i] {
                    if (!pool_[1].is_current() || Shard::current() != &pool_[1]) ++wrong;
                    if (seen[static_cast<size_t>(t)]++ != i) ++wrong;
                });
            }
        });
    }
    for (auto& thread : threads) thread.join();
    on(1, [&] {
        for (const int count : seen) EXPECT_EQ(count, kEach);
    });
    EXPECT_EQ(wrong.load(), 0);
    EXPECT_EQ(Shard::current(), nullptr);
    EXPECT_FALSE(pool_[1].is_current());
}

TEST_F(Shards, ExceptionsComeBackFromRunOn) {
    EXPECT_THROW(on(0, [] { throw std::runtime_error("on purpose"); }), std::runtime_error);
    on(0, [] {});
}

TEST_F(Shards, TheLagOfOneThatHangsGrowsMeanwhile) {
    std::promise<void> go_on;
    pool_[1].post([&] { go_on.get_future().wait(); });
    while (pool_[1].lag_seconds() < 0.2) std::this_thread::yield();
    const double before = pool_[1].lag_seconds();
    while (pool_[1].lag_seconds() <= before) std::this_thread::yield();
    go_on.set_value();
    on(1, [] {});
}

TEST_F(Shards, AnEndOfTurnRunsOncePerTurn) {
    Task task;
    int ran = 0;
    task.work = [&] { ++ran; };
    on(0, [&] {
        for (int i = 0; i < 5; ++i) pool_[0].at_end_of_turn(task);
        EXPECT_EQ(ran, 0);
    });
    settle(0);
    EXPECT_EQ(ran, 1);
    on(0, [&] { pool_[0].at_end_of_turn(task); });
    settle(0);
    EXPECT_EQ(ran, 2);
}

TEST_F(Shards, ACancelledEndOfTurnDoesNotRun) {
    Task first;
    Task second;
    auto dead = std::make_unique<Task>();
    int ran = 0;
    first.work = second.work = dead->work = [&] { ++ran; };
    on(0, [&] {
        auto& shard = pool_[0];
        shard.at_end_of_turn(first);
        shard.at_end_of_turn(*dead);
        shard.at_end_of_turn(second);
        shard.cancel_end_of_turn(*dead);
        dead.reset();
        shard.cancel_end_of_turn(first);
        shard.cancel_end_of_turn(first);
        shard.at_end_of_turn(first);
    });
    settle(0);
    EXPECT_EQ(ran, 2);
}

TEST_F(Shards, TasksMayQueueAndCancelTasks) {
    Task first;
    Task second;
    Task third;
    std::string order;
    auto& shard = pool_[0];
    int rounds = 0;
    first.work = [&] {
        order += '1';
        shard.cancel_end_of_turn(second);
        shard.at_end_of_turn(third);
        if (++rounds < 3) shard.at_end_of_turn(first);  // the next turn
    };
    second.work = [&] { order += '2'; };
    third.work = [&] {
        order += '3';
        shard.cancel_end_of_turn(third);
    };
    on(0, [&] {
        shard.at_end_of_turn(first);
        shard.at_end_of_turn(second);
    });
    for (int i = 0; i < 4; ++i) settle(0);
    // `third` runs in the turn after the one that queued it, before `first` which was queued later.
    EXPECT_EQ(order, "131313");
}

TEST_F(Shards, TimersFireOnTheirShardAndNotEarly) {
    struct Waiting {
        explicit Waiting(Shard& s, Board& b) : shard(s), board(b) {}
        Shard& shard;
        Board& board;
        uint64_t due = 0;
        bool early = false;
        Timer timer{shard.timers(),
                    [](void* self) {
                        auto& w = *static_cast<Waiting*>(self);
                        w.early = w.shard.now_ms() < w.due || !w.shard.is_current();
                        w.board.note([](Board& b) { ++b.drained; });
                    },
                    this};
    };
    Waiting late(pool_[2], board_);
    Waiting soon(pool_[2], board_);
    on(2, [&] {
        late.timer.set(late.due = pool_[2].now_ms() + 3'600'000);
        soon.timer.set(soon.due = pool_[2].now_ms() + 20);  // the armed wait must become earlier
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.drained == 1; }));
    on(2, [&] {
        EXPECT_FALSE(soon.early);
        EXPECT_TRUE(late.timer.is_set());
        late.timer.set(late.due = pool_[2].now_ms());
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.drained == 2; }));
    on(2, [&] { late.timer.cancel(); });
}

/// Takes numbered messages and says when they were not in order.
struct Numbered final : Subscriber {
    explicit Numbered(Board& b) : board(b) {}
    void deliver(Delivery& delivery, const SubscriptionMatch&) override {
        uint64_t number = 0;
        std::memcpy(&number, delivery.message().payload.data(), sizeof number);
        if (number != next++) ++wrong;
        if (number == last) board.note([](Board& b) { ++b.closed; });
    }
    Board& board;
    uint64_t next = 0;
    uint64_t last = 0;
    int wrong = 0;
};

TEST_F(Shards, MessagesBetweenShardsArriveInOrder) {
    constexpr uint64_t kMessages = 20'000;
    Numbered receivers[] = {Numbered(board_), Numbered(board_), Numbered(board_)};
    for (size_t i = 0; i < 3; ++i) {
        receivers[i].last = kMessages - 1;
        on(i, [&] { pool_[i].hub().subscribe(receivers[i], "to/" + std::to_string(i), {}); });
    }
    Publisher publishers[3];
    std::function<void(size_t, uint64_t)> send = [&](size_t from, uint64_t number) {
        MessageView view;
        view.payload = {reinterpret_cast<const char*>(&number), sizeof number};
        const std::string topic = "to/" + std::to_string((from + 1) % 3);
        view.topic = topic;
        pool_[from].hub().publish(view, publishers[from]);
        if (number + 1 < kMessages) pool_[from].post([&, from, number] { send(from, number + 1); });
    };
    for (size_t i = 0; i < 3; ++i) pool_[i].post([&, i] { send(i, 0); });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 3; }));
    for (size_t i = 0; i < 3; ++i) {
        on(i, [&] {
            EXPECT_EQ(receivers[i].wrong, 0);
            EXPECT_FALSE(pool_[i].congested());
            pool_[i].hub().unsubscribe(receivers[i], "to/" + std::to_string(i));
        });
    }
}

TEST_F(Shards, AShardThatLagsBehindCongestsItsSendersUntilItHasCaughtUp) {
    Numbered receiver(board_);
    on(1, [&] { pool_[1].hub().subscribe(receiver, "t", {}); });
    std::promise<void> let_go;
    pool_[1].post([blocked = let_go.get_future().share()] { blocked.wait(); });
    Publisher publisher;
    uint64_t sent = 0;
    std::string payload(64 * 1024, 'x');
    const auto send_some = [&] {
        for (int i = 0; i < 16; ++i, ++sent) {
            std::memcpy(payload.data(), &sent, sizeof sent);
            MessageView view;
            view.topic = "t";
            view.payload = payload;
            pool_[0].hub().publish(view, publisher);
        }
    };
    bool congested = false;
    for (int i = 0; i < 40 && !congested; ++i) {
        on(0, send_some);
        settle(0);
        on(0, [&] { congested = pool_[0].congested(); });
    }
    ASSERT_TRUE(congested);
    on(2, [&] { EXPECT_FALSE(pool_[2].congested()) << "another sender has its own lane"; });
    on(0, [&] {
        for (int i = 0; i < 2; ++i) {
            pool_[0].when_clear([&] {
                EXPECT_TRUE(pool_[0].is_current());
                EXPECT_FALSE(pool_[0].congested());
                board_.note([](Board& b) { ++b.resumes; });
            });
        }
        receiver.last = sent;  // one more, after all that
    });
    EXPECT_EQ(board_.look(&Board::resumes), 0);
    let_go.set_value();
    EXPECT_TRUE(board_.wait([](Board& b) { return b.resumes == 2; }));
    on(0, [&] {
        std::memcpy(payload.data(), &sent, sizeof sent);
        MessageView view;
        view.topic = "t";
        view.payload = payload;
        pool_[0].hub().publish(view, publisher);
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.closed == 1; }));
    on(1, [&] {
        EXPECT_EQ(receiver.wrong, 0);
        EXPECT_EQ(receiver.next, sent + 1);
        pool_[1].hub().unsubscribe(receiver, "t");
    });
    on(0, [&] { EXPECT_FALSE(pool_[0].congested()); });
}

TEST_F(Shards, AClientIdHasOneHome) {
    Shard& home = pool_.home_of("client-17");
    EXPECT_EQ(&home, &pool_.home_of("client-17"));
    std::vector<int> count(3);
    for (int i = 0; i < 3000; ++i) ++count[pool_.home_of("client-" + std::to_string(i)).index()];
    for (const int n : count) EXPECT_GT(n, 800);
}

// What is still queued when a pool ends may own things that use their shard once more.
TEST(ShardPool, WorkThatNeverRanIsDestroyedInOrder) {
    Hub hub(1);
    ShardPool pool(hub, 1);
    pool.start();
    pool.stop();
    struct Owner {
        explicit Owner(Shard& s)
            : shard(s),
              timer(
                  s.timers(), [](void*) {}, nullptr) {
            timer.set(shard.now_ms() + 1000);
            buffer = shard.buffers().take();
            buffer.append("bytes");
        }
        ~Owner() { shard.buffers().give(std::move(buffer)); }
        Shard& shard;
        Timer timer;
        OutBuffer buffer;
    };
    pool[0].post([owner = std::make_shared<Owner>(pool[0])] { FAIL() << "the shard has stopped"; });
}

}  // namespace
}  // namespace trestle
