#include "core/session_table.h"

namespace trestle {

SessionTable::Entry::Entry(SessionTable& table, std::unique_ptr<Session> owned)
    : table_(table),
      session_(std::move(owned)),
      expiry_(
          table.hub_.timers(), [](void* self) { static_cast<Entry*>(self)->expire(); }, this) {}

void SessionTable::Entry::expire() {
    if (auto* expired = table_.books_.expired) expired->add(table_.hub_.index());
    table_.end(*this);
}

SessionTable::Entry* SessionTable::find(std::string_view client_id) {
    const auto found = entries_.find(client_id);
    return found == entries_.end() ? nullptr : found->second.get();
}

SessionTable::Entry& SessionTable::create(std::string_view client_id, SessionHolder& holder,
                                          const SessionLimits& limits,
                                          const SessionLedger& ledger) {
    auto session = std::make_unique<Session>(hub_, std::string(client_id), limits, ledger);
    const std::string_view key = session->client_id();
    auto entry = std::make_unique<Entry>(*this, std::move(session));
    entry->holder = &holder;
    count(1, 0);
    return *entries_.emplace(key, std::move(entry)).first->second;
}

void SessionTable::hold(Entry& entry, SessionHolder& holder) {
    entry.holder = &holder;
    entry.expiry_.cancel();
    entry.will_.reset();
    count(1, -1);
}

void SessionTable::let_go(Entry& entry, uint32_t expiry_s, std::unique_ptr<Will> will) {
    entry.holder = nullptr;
    entry.session_->detach();
    count(-1, 1);
    if (will && expiry_s != 0 && will->delay_s != 0) {
        const auto due = [](void* self) { static_cast<Entry*>(self)->will_is_due(); };
        entry.will_.reset(new Entry::WaitingWill{std::move(*will), {hub_.timers(), due, &entry}});
        entry.will_->timer.set(hub_.now_ms() + uint64_t{entry.will_->will.delay_s} * 1000);
        will.reset();
    }
    const Session* self = expiry_s == 0 ? nullptr : entry.session_.get();
    if (expiry_s == 0) {
        end(entry);
    } else if (expiry_s != kSessionNeverExpires) {
        entry.expiry_.set(hub_.now_ms() + uint64_t{expiry_s} * 1000);
    }
    if (will) will->publish(hub_, self);
}

void SessionTable::Entry::will_is_due() {
    const auto waiting = std::move(will_);
    waiting->will.publish(table_.hub_, session_.get());
}

void SessionTable::end(Entry& entry) {
    count(entry.holder != nullptr ? -1 : 0, entry.holder != nullptr ? 0 : -1);
    const auto found = entries_.find(entry.session_->client_id());
    auto owned = std::move(found->second);  // the key's text lives in there
    entries_.erase(found);
    const auto waiting = std::move(owned->will_);
    owned.reset();
    if (waiting) waiting->will.publish(hub_, nullptr);  // [MQTT-3.1.2-8]
}

void SessionTable::end_all(DropReason reason) {
    for (auto& [id, entry] : entries_) {
        entry->session_->drop_all(reason);
        count(entry->holder != nullptr ? -1 : 0, entry->holder != nullptr ? 0 : -1);
    }
    while (!entries_.empty()) {
        const auto owned = std::move(entries_.begin()->second);
        entries_.erase(entries_.begin());
    }
}

void SessionTable::count(int connected, int disconnected) {
    if (books_.connected == nullptr) return;
    if (connected != 0) books_.connected->add(hub_.index(), connected);
    if (disconnected != 0) books_.disconnected->add(hub_.index(), disconnected);
}

}  // namespace trestle
