// Timers against a naive model, and what callbacks may do.
#include "core/timer_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace trestle {
namespace {

/// A timer that calls a function.
struct Bell {
    explicit Bell(TimerQueue& queue)
        : timer(
              queue,
              [](void* self) {
                  auto& bell = *static_cast<Bell*>(self);
                  ++bell.rung;
                  if (bell.work) bell.work();
              },
              this) {}
    int rung = 0;
    std::function<void()> work;
    Timer timer;
};

TEST(TimerQueue, FiresOnceInOrderOfDueTimes) {
    TimerQueue queue;
    std::vector<int> order;
    std::vector<std::unique_ptr<Bell>> bells;
    for (int i = 0; i < 5; ++i) {
        bells.push_back(std::make_unique<Bell>(queue));
        bells.back()->work = [&order, i] { order.push_back(i); };
    }
    const uint64_t due[] = {50, 10, 40, 20, 30};
    for (size_t i = 0; i < 5; ++i) bells[i]->timer.set(due[i]);
    EXPECT_EQ(queue.next_due_ms(), 10u);
    queue.run(9);
    EXPECT_TRUE(order.empty());
    queue.run(40);
    EXPECT_EQ(order, (std::vector{1, 3, 4, 2}));
    EXPECT_EQ(queue.next_due_ms(), 50u);
    EXPECT_FALSE(bells[1]->timer.is_set());
    queue.run(100);
    queue.run(200);
    EXPECT_EQ(order.back(), 0);
    EXPECT_EQ(order.size(), 5u);
    EXPECT_EQ(queue.next_due_ms(), TimerQueue::kNothing);
}

TEST(TimerQueue, CallbacksMaySetCancelAndDestroy) {
    TimerQueue queue;
    Bell first(queue);
    Bell second(queue);
    auto third = std::make_unique<Bell>(queue);
    auto suicidal = std::make_unique<Bell>(queue);
    first.work = [&] {
        second.timer.cancel();
        third.reset();
        first.timer.set(20);
    };
    suicidal->work = [&] { suicidal.reset(); };
    first.timer.set(10);
    second.timer.set(10);
    third->timer.set(11);
    suicidal->timer.set(12);
    queue.run(15);
    EXPECT_EQ(first.rung, 1);
    EXPECT_EQ(second.rung, 0);
    EXPECT_EQ(suicidal, nullptr);
    EXPECT_EQ(queue.size(), 1u);
    first.work = nullptr;
    queue.run(20);
    EXPECT_EQ(first.rung, 2);
    EXPECT_EQ(queue.size(), 0u);
}

TEST(TimerQueue, TellsOfAnEarlierDueTimeOnly) {
    TimerQueue queue;
    int told = 0;
    queue.on_earlier([](void* count) { ++*static_cast<int*>(count); }, &told);
    Bell a(queue);
    Bell b(queue);
    a.timer.set(100);
    EXPECT_EQ(told, 1);
    b.timer.set(200);
    EXPECT_EQ(told, 1);
    b.timer.set(50);
    EXPECT_EQ(told, 2);
    b.timer.set(60);
    EXPECT_EQ(queue.next_due_ms(), 60u);
    b.timer.cancel();
    EXPECT_EQ(queue.next_due_ms(), 100u);
}

TEST(TimerQueue, RandomOperationsAgreeWithAModel) {
    std::mt19937 random(3);
    for (int round = 0; round < 30; ++round) {
        TimerQueue queue;
        std::vector<std::unique_ptr<Bell>> bells;
        std::vector<std::optional<uint64_t>> due(60);
        std::vector<int> rung(60);
        for (size_t i = 0; i < due.size(); ++i) bells.push_back(std::make_unique<Bell>(queue));
        uint64_t now = 0;
        for (int step = 0; step < 2000; ++step) {
            const size_t i = random() % due.size();
            switch (random() % 6) {
                case 0:
                    bells[i]->timer.cancel();
                    due[i].reset();
                    break;
                case 1: {
                    now += random() % 20;
                    uint64_t last = 0;
                    for (auto& bell : bells) {
                        bell->work = [&last, at = &*bell] {
                            EXPECT_GE(at->timer.due_ms(), last);
                            last = at->timer.due_ms();
                        };
                    }
                    queue.run(now);
                    for (size_t n = 0; n < due.size(); ++n) {
                        if (!due[n] || *due[n] > now) continue;
                        due[n].reset();
                        ++rung[n];
                    }
                    break;
                }
                case 2:
                    bells[i] = std::make_unique<Bell>(queue);
                    due[i].reset();
                    rung[i] = 0;
                    break;
                default:
                    due[i] = now + random() % 100;
                    bells[i]->timer.set(*due[i]);
            }
            uint64_t next = TimerQueue::kNothing;
            for (size_t n = 0; n < due.size(); ++n) {
                ASSERT_EQ(bells[n]->timer.is_set(), due[n].has_value());
                ASSERT_EQ(bells[n]->rung, rung[n]);
                if (due[n]) next = std::min(next, *due[n]);
            }
            ASSERT_EQ(queue.next_due_ms(), next);
        }
    }
}

}  // namespace
}  // namespace trestle
