#include "zmq/sequence.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace trestle::zmq {
namespace {

TEST(Sequences, EachKeyCountsForItself) {
    Sequences sequences(100);
    const auto first = sequences.next("a", 5000);
    EXPECT_EQ(5000U, first.epoch);
    EXPECT_EQ(1U, first.number);
    EXPECT_EQ(1U, sequences.next("b", 6000).number);
    const auto second = sequences.next("a", 7000);
    EXPECT_EQ(first.epoch, second.epoch);
    EXPECT_EQ(2U, second.number);
    EXPECT_EQ("[5000,2]", second.json());
    const std::string frame("\0\0\0\0\0\0\x13\x88\0\0\0\0\0\0\0\2", 16);
    EXPECT_EQ(frame, std::string(second.frame().data(), second.frame().size()));
}

TEST(Sequences, AForgottenKeyBeginsAnewWithAGreaterEpoch) {
    constexpr size_t kMost = 64;
    Sequences sequences(kMost);
    std::mt19937 dice(3);
    std::map<std::string, SequenceNumber> last;
    size_t forgotten = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::string key = std::to_string(dice() % (i % 2 == 0 ? 8 : 1000));
        const auto now = sequences.next(key, 42);  // a clock that stands still
        ASSERT_LE(sequences.keys(), kMost + 2);
        auto& before = last[key];
        if (now.epoch == before.epoch) {
            ASSERT_EQ(before.number + 1, now.number);
        } else {
            ASSERT_GT(now.epoch, before.epoch);
            ASSERT_EQ(1U, now.number);
            forgotten += before.number != 0 ? 1 : 0;
        }
        before = now;
    }
    EXPECT_GT(forgotten, 100U);
    EXPECT_EQ(last["0"].epoch, sequences.next("0", 42).epoch) << "used all the time";
}

}  // namespace
}  // namespace trestle::zmq
