// The job board under seeded faults.
#include <random>

#include "job_board_fixture.h"

namespace trestle::zmq {
namespace {

/// Whatever happens in whatever order: no job is lost or done twice as far as the board knows, the
/// books balance at each step, publishers are told once, and order by key is kept.
class JobBoardProperty : public JobBoardTest, public testing::WithParamInterface<unsigned> {};

TEST_P(JobBoardProperty, SeededFaults) {
    std::mt19937 random(GetParam());
    const auto some = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
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
            board_.join(at(), {.peer = peer,
                               .connection = 7,
                               .service = "s",
                               .window = 1 + some(4),
                               .bundle = some(4)});
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
                                 {.delay_ms = some(2) * some(2000),
                                  .for_good = some(8) == 0,
                                  .is_untried = some(4) == 0});
            }
        } else if (!peers.empty()) {
            if (Worker* one = board_.find(peers[some(unsigned(peers.size()))])) {
                board_.heard(at(), *one);
            }
        }
        if (board_.next_due_ms() <= now_) board_.tick(at());
        if (line_->next_due_ms() <= now_) line_->refuse_overdue(0, now_);
        ASSERT_EQ(0, books_.balance()) << "step " << step;
        ASSERT_EQ(board_.workers() == 0 ? line_->jobs() : 0U, size_t(without_worker_.value()));
        ASSERT_GT(board_.next_due_ms(), now_);
        std::set<const KeyLane*> at_work;
        board_.each_worker([&](const Worker& one) {
            for (const Lease& lease : one.leases) {
                if (!is_ordered || !lease.is_current) continue;
                EXPECT_TRUE(at_work.insert(lease.job->lane).second) << "two jobs of one key";
            }
        });
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
