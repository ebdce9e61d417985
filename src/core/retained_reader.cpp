#include "core/retained_reader.h"

#include <utility>

#include "core/hub.h"
#include "core/session.h"

namespace trestle {

void RetainedReader::add(std::string filter, const SubscribeOptions& options,
                         uint64_t without_publisher) {
    remove(filter);
    Read& read = reads_.emplace_back();
    read.cursor.filter = std::move(filter);
    read.cursor.without_publisher = without_publisher;
    read.match.options = options;
    if (options.subscription_id != 0) read.match.subscription_ids = {options.subscription_id};
    by_filter_.emplace(read.cursor.filter, std::prev(reads_.end()));
}

void RetainedReader::remove(std::string_view filter) {
    const auto found = by_filter_.find(filter);
    if (found == by_filter_.end()) return;
    const auto read = found->second;  // holds the key's text
    by_filter_.erase(found);
    reads_.erase(read);
}

void RetainedReader::go_on() {
    auto& store = hub_.hub().retained();
    auto& turns = hub_.retained_turns();
    while (!reads_.empty() && session_.takes_more()) {
        Read& read = reads_.front();
        if (read.next < read.batch.size()) {
            read.last = std::move(read.batch[read.next++]);
            // One that has expired may be gone from the store or not: it is counted all the same.
            if (read.last->view().expires_at_ms <= hub_.now_ms() || store.holds(*read.last)) {
                session_.deliver_retained(read.last, read.match);
            }
            continue;
        }
        if (read.cursor.done) {
            remove(read.cursor.filter);
            continue;
        }
        if (!std::exchange(has_turn_, false) && !turns.open()) return wait();
        read.batch.clear();
        read.next = 0;
        const size_t visited = store.collect(read.cursor, kPortion, hub_.now_ms(), read.batch);
        turns.spend(visited, read.batch.size());
    }
}

void RetainedReader::wait() {
    if (!std::exchange(waits_, true)) hub_.retained_turns().wait(weak_from_this());
}

void RetainedReader::take_turn() {
    waits_ = false;
    has_turn_ = true;
    session_.pump();
    has_turn_ = false;  // the session takes nothing now
}

void RetainedReader::detach() {
    if (reads_.empty()) return;
    Read& read = reads_.front();  // no other has a batch
    if (read.next == read.batch.size()) return;
    read.batch.clear();
    read.next = 0;
    read.cursor.done = false;
    if (read.last) read.cursor.after = read.last->view().topic;
}

}  // namespace trestle
