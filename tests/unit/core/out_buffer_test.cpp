#include "core/out_buffer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>

namespace trestle {
namespace {

TEST(OutBuffer, StartsWithoutMemory) {
    const OutBuffer buffer;
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(buffer.size(), 0U);
    EXPECT_EQ(buffer.capacity(), 0U);
    EXPECT_EQ(buffer.view(), "");
}

TEST(OutBuffer, AppendsAndConsumesInOrder) {
    OutBuffer buffer;
    buffer.append("abc");
    buffer.append("");
    std::memcpy(buffer.reserve(10), "def", 3);
    buffer.commit(3);
    EXPECT_EQ(buffer.view(), "abcdef");
    buffer.consume(2);
    EXPECT_EQ(buffer.view(), "cdef");
    buffer.consume(4);
    EXPECT_TRUE(buffer.empty());
    buffer.append("x");
    EXPECT_EQ(buffer.view(), "x");
}

TEST(OutBuffer, ReservedRoomThatIsNotCommittedIsNotContent) {
    OutBuffer buffer;
    buffer.append("a");
    (void)buffer.reserve(5000);
    EXPECT_EQ(buffer.view(), "a");
    EXPECT_GE(buffer.capacity(), 5001U);
}

TEST(OutBuffer, ReleaseGivesMemoryBack) {
    OutBuffer buffer;
    buffer.append(std::string(100000, 'x'));
    buffer.consume(99990);
    buffer.release();
    EXPECT_EQ(buffer.view(), "xxxxxxxxxx");
    EXPECT_EQ(buffer.capacity(), 10U);
    buffer.append("y");
    EXPECT_EQ(buffer.view(), "xxxxxxxxxxy");
    buffer.clear();
    EXPECT_NE(buffer.capacity(), 0U);
    buffer.release();
    EXPECT_EQ(buffer.capacity(), 0U);
    buffer.release();
    buffer.append("again");
    EXPECT_EQ(buffer.view(), "again");
}

TEST(OutBuffer, MovesItsBytes) {
    OutBuffer from;
    from.append("abc");
    from.consume(1);
    OutBuffer to(std::move(from));
    EXPECT_EQ(to.view(), "bc");
    OutBuffer other;
    other.append("other");
    other = std::move(to);
    EXPECT_EQ(other.view(), "bc");
}

// A reader that always lags behind must not make the buffer grow without end.
TEST(OutBuffer, StaysSmallWhenReadAsFastAsWritten) {
    OutBuffer buffer;
    buffer.append(std::string(1000, 'b'));
    const std::string piece(100, 'p');
    for (int i = 0; i < 10000; ++i) {
        buffer.append(piece);
        buffer.consume(100);
    }
    EXPECT_EQ(buffer.size(), 1000U);
    EXPECT_LE(buffer.capacity(), 8192U);
}

TEST(OutBuffer, AgreesWithAStringUnderRandomUse) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same run each time
    OutBuffer buffer;
    std::string model;
    for (int i = 0; i < 20000; ++i) {
        const auto what = random() % 100;
        if (what < 60) {
            const std::string piece(random() % 700, static_cast<char>('a' + i % 26));
            buffer.append(piece);
            model += piece;
        } else if (what < 97) {
            const size_t n = random() % (model.size() + 1);
            buffer.consume(n);
            model.erase(0, n);
        } else if (what < 99) {
            buffer.release();
        } else {
            buffer.clear();
            model.clear();
        }
        ASSERT_EQ(buffer.view(), model);
    }
}

TEST(OutBuffer, TellsWhereWhatWasAppendedLies) {
    OutBuffer buffer;
    buffer.append("abc");
    char* at = buffer.append("defg");
    EXPECT_EQ(buffer.last(4), "defg");
    at[1] = 'E';
    EXPECT_EQ(buffer.view(), "abcdEfg");
    EXPECT_EQ(buffer.last(7), buffer.view());
    EXPECT_EQ(buffer.append(""), at + 4);
}

}  // namespace
}  // namespace trestle
