// What one client sends at once is worked off in turns, and others have theirs in between: in
// order, and to the end, whatever ends it.
#include <future>

#include "../core/fakes.h"
#include "../runtime/fake_stream.h"
#include "core/session_table.h"
#include "fixture.h"
#include "websocket/deflate.h"
#include "websocket/json/service.h"

namespace trestle::test {
namespace {

const std::string kAsk = R"({"op":"ping","id":1})";
const std::string kAnswer = R"({"id":1,"ok":true})";

std::string text(std::string_view payload) { return frame(kText, payload); }

std::string times(size_t count, const std::string& one) {
    std::string all;
    while (count-- != 0) all += one;
    return all;
}

/// As the server sends it.
std::string answer(std::string_view payload) { return frame(kText, payload, true, false); }

/// One JSON client whose stream has no socket, on the first of real shards.
class TurnsTest : public testing::Test {
 protected:
    explicit TurnsTest(bool deflates = false, size_t shards = 1)
        : hub_(shards), pool_(hub_, shards) {
        settings_.set("max_errors", int64_t{1'000'000}, true);
        settings_.set("max_pending_publishes", int64_t{1}, true);
        settings_.set("max_write_buffer", int64_t{16} << 20, true);
        service_ = std::make_unique<websocket::json::Service>(context_, settings_);
        pool_.start();
        on_shard([&] {
            auto stream = std::make_unique<FakeStream>(pool_[0], board_);
            stream_ = stream->life();
            const websocket::Delivers delivers{false, uint64_t{1} << 20, deflates ? 15 : 0};
            service_->serve(std::make_unique<websocket::Connection>(
                std::move(stream), rules_, websocket::Slot(nullptr), delivers));
        });
    }
    ~TurnsTest() override {
        on_shard([&] {
            if (*stream_ != nullptr) (*stream_)->peer_closes();
        });
        EXPECT_TRUE(board_.wait([](Board& b) { return b.destroyed == 1; }));
        hub_.set_routes({});
        pool_.stop();
        EXPECT_EQ(hub_.subscriptions(), 0u);
    }
    void on_shard(const std::function<void()>& work) { ShardPool::run_on(pool_[0], work); }

    /// Gives all of it at once, and tells how many bytes of answers there are before anybody else
    /// has had a turn.
    size_t answered_at_once(const std::string& bytes) {
        size_t answered = 0;
        on_shard([&] {
            (*stream_)->feed(bytes);
            answered = (*stream_)->backlog();
        });
        return answered;
    }
    bool written(const std::string& all) {
        return board_.wait([&](Board& b) { return b.written == all; });
    }
    void expect_in_turns(size_t count, const std::string& one, const std::string& answered) {
        EXPECT_LT(answered_at_once(times(count, one)), count * answered.size() / 2);
        EXPECT_TRUE(written(times(count, answered)));
    }

    Board board_;
    Seen seen_;
    Hub hub_;
    ShardPool pool_;
    TestHost host_{pool_, seen_};
    EndpointContext context_{host_, 1, "web", pool_[0], Log()};
    Settings settings_ = Settings::defaults(websocket::json::describe_options());
    Counter breaches_{1};
    std::shared_ptr<websocket::ConnectionRules> rules_ =
        std::make_shared<websocket::ConnectionRules>(
            websocket::ConnectionRules{.text_frames = &breaches_,
                                       .too_large = &breaches_,
                                       .bad_frames = &breaches_,
                                       .bad_text = &breaches_,
                                       .silent = &breaches_});
    std::unique_ptr<websocket::json::Service> service_;
    std::shared_ptr<FakeStream*> stream_;
};

TEST_F(TurnsTest, OperationsAreWorkedOffInTurns) {
    expect_in_turns(30'000, text(kAsk), answer(kAnswer));
}

TEST_F(TurnsTest, SoAreSubscriptions) {
    std::string all;
    for (int i = 0; i < 20'000; ++i) {
        all += text(R"({"op":"subscribe","id":1,"filter":"a/)" + std::to_string(i) + R"("})");
    }
    const std::string granted = answer(R"({"id":1,"ok":true,"qos":0})");
    EXPECT_LT(answered_at_once(all), 10'000 * granted.size());
    EXPECT_TRUE(written(times(20'000, granted)));
}

TEST_F(TurnsTest, SoAreFramesThatAreNoOperations) {
    const std::string error =
        R"({"id":null,"ok":false,"error":{"code":"not_json","message":"the frame is not JSON"}})";
    expect_in_turns(30'000, text("x"), answer(error));
}

TEST_F(TurnsTest, SoArePings) {
    expect_in_turns(250'000, frame(kPing, ""), frame(kPong, "", true, false));
}

/// Takes whatever comes.
class Sink final : public Subscriber {
 public:
    void deliver(Delivery& /*delivery*/, const SubscriptionMatch& /*match*/) override { ++got; }
    size_t got = 0;
};

TEST_F(TurnsTest, APublishCountsForEachSubscriber) {
    constexpr size_t kPublishes = 1'000;
    std::vector<std::unique_ptr<Sink>> sinks(1'000);
    on_shard([&] {
        for (auto& sink : sinks) {
            sink = std::make_unique<Sink>();
            pool_[0].hub().subscribe(*sink, "to/all", {});
        }
    });
    expect_in_turns(kPublishes, text(R"({"op":"publish","id":1,"topic":"to/all"})"),
                    answer(kAnswer));
    on_shard([&] {
        for (auto& sink : sinks) {
            EXPECT_EQ(sink->got, kPublishes);
            pool_[0].hub().unsubscribe(*sink, "to/all");
        }
    });
}

TEST_F(TurnsTest, AMessageThatIsTakenUpLaterKeepsItsPlace) {
    std::string all;
    std::string answers;
    for (int i = 0; i < 40'000; ++i) {
        const std::string id = std::to_string(i);
        const std::string ping = R"({"op":"ping","id":)" + id + "}";
        // Also in pieces, with something between them.
        all += i % 3 != 0 ? text(ping)
                          : frame(kText, ping.substr(0, 5), false) + frame(kPong, "unasked") +
                                frame(kContinue, ping.substr(5));
        answers += answer(R"({"id":)" + id + R"(,"ok":true})");
    }
    // The end comes after all that was said before it.
    EXPECT_LT(answered_at_once(all + close_frame(1000)), answers.size() / 2);
    EXPECT_TRUE(written(answers + std::string("\x88\x02\x03\xe8", 4)));
}

// Reading stops for the turn and for the answer that is due; it goes on when neither holds.
TEST_F(TurnsTest, APublishThatWaitsForItsAnswerHoldsUpWhatFollows) {
    RouteBooks books;
    FakeRouteSink sink;
    Ack waiting;
    std::promise<void> arrived;
    sink.work = [&](Delivery& delivery) {
        waiting = delivery.defer();
        arrived.set_value();
    };
    hub_.set_routes({make_route("jobs", "a/{x}", "k.{x}", 2, sink, books)});
    const std::string many = times(20'000, text(kAsk));
    const std::string answers = times(20'000, answer(kAnswer));
    answered_at_once(many + text(R"({"op":"publish","id":2,"topic":"a/1","qos":1})") + many);
    arrived.get_future().wait();
    EXPECT_TRUE(written(answers));
    on_shard([&] { waiting.settle(Outcome::accepted); });
    EXPECT_TRUE(written(answers + answer(R"({"id":2,"ok":true})") + answers));
}

TEST_F(TurnsTest, AStopEndsWhatWaitsForItsTurn) {
    std::promise<void> done;
    on_shard([&] {
        (*stream_)->feed(times(30'000, text(kAsk)));
        service_->stop(pool_[0].now_ms() + 60'000, [&] { done.set_value(); });
    });
    const std::string bye = "the server is shutting down";
    const std::string end =
        std::string("\x88") + static_cast<char>(bye.size() + 2) + "\x03\xe9" + bye;
    ASSERT_TRUE(board_.wait([&](Board& b) { return b.written.ends_with(end); }));
    EXPECT_LT(board_.look(&Board::written).size(), 30'000 * answer(kAnswer).size());
    // What is left is not listened to, but for the peer's answer behind it.
    on_shard([&] { (*stream_)->feed(close_frame(1001)); });
    done.get_future().wait();
}

TEST_F(TurnsTest, APeerThatGoesTakesAlongWhatWaitsForItsTurn) {
    on_shard([&] {
        (*stream_)->feed(times(30'000, text(kAsk)));
        (*stream_)->peer_closes();
    });
    EXPECT_TRUE(board_.wait([](Board& b) { return b.destroyed == 1; }));
}

class DeflatedTurnsTest : public TurnsTest {
 protected:
    explicit DeflatedTurnsTest(size_t shards = 1) : TurnsTest(true, shards) {}
    /// Some hundred bytes of what is a megabyte.
    static std::string deflated(const std::string& large) {
        std::string one = frame(kText, websocket::deflate_message(large, 15));
        one[0] = '\xc1';
        return one;
    }
};

TEST_F(DeflatedTurnsTest, AMessageCountsByItsInflatedSize) {
    const std::string large = kAsk.substr(0, kAsk.size() - 1) + std::string(1'000'000, ' ') + "}";
    expect_in_turns(20, deflated(large), answer(kAnswer));
}

class TwoShardsTurnsTest : public DeflatedTurnsTest {
 protected:
    TwoShardsTurnsTest() : DeflatedTurnsTest(2) {}
};

// 16 MiB wait for the other shard, then what has been read already waits too.
TEST_F(TwoShardsTurnsTest, NothingIsTakenUpWhileAnotherShardIsTooFarBehind) {
    constexpr size_t kPublishes = 60;
    Sink sink;
    ShardPool::run_on(pool_[1], [&] { pool_[1].hub().subscribe(sink, "other/shard", {}); });
    std::promise<void> go_on;
    pool_[1].post([&] { go_on.get_future().wait(); });
    const std::string publish = R"({"op":"publish","id":1,"topic":"other/shard","payload":")" +
                                std::string(1'000'000, 'x') + "\"}";
    answered_at_once(times(kPublishes, deflated(publish)));
    for (size_t turns = 0; turns < 10 * kPublishes; ++turns) on_shard([] {});
    EXPECT_LT(board_.look(&Board::written).size(), kPublishes / 2 * answer(kAnswer).size());
    go_on.set_value();
    EXPECT_TRUE(written(times(kPublishes, answer(kAnswer))));
    ShardPool::run_on(pool_[1], [&] { pool_[1].hub().unsubscribe(sink, "other/shard"); });
}

}  // namespace
}  // namespace trestle::test
