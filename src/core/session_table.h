// The sessions that live on one shard, by client id: found again when the client comes back, ended
// when they expire. Used on its shard only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/counters.h"
#include "core/session.h"
#include "core/timer_queue.h"
#include "core/will.h"

namespace trestle {

/// The connection that uses a session at present.
class SessionHolder {
 public:
    virtual ~SessionHolder() = default;
    /// Another connection takes the session over [MQTT-3.1.4-3]: lets go of it before returning.
    virtual void take_over() = 0;
};

/// Seconds for which a session outlives its connection (MQTT 5.0 section 3.1.2.11.2).
inline constexpr uint32_t kSessionNeverExpires = UINT32_MAX;

class SessionTable {
 public:
    class Entry {
     public:
        Entry(SessionTable& table, std::unique_ptr<Session> owned);
        [[nodiscard]] Session& session() const { return *session_; }
        SessionHolder* holder = nullptr;

     private:
        friend class SessionTable;
        struct WaitingWill {
            Will will;
            Timer timer;
        };
        void will_is_due();
        void expire();

        SessionTable& table_;
        std::unique_ptr<Session> session_;
        std::unique_ptr<WaitingWill> will_;  // while its delay runs
        Timer expiry_;
    };
    /// Counts of all tables.
    struct Books {
        Gauge* connected = nullptr;
        Gauge* disconnected = nullptr;
        Counter* expired = nullptr;
    };

    explicit SessionTable(HubShard& hub) : hub_(hub) {}

    void count_in(const Books& books) { books_ = books; }
    [[nodiscard]] Entry* find(std::string_view client_id);
    /// A new session, held by `holder`; there is none of that id.
    Entry& create(std::string_view client_id, SessionHolder& holder, const SessionLimits& limits,
                  const SessionLedger& ledger);
    /// A connection comes to a session that was let go. A will that waits is forgotten
    /// [MQTT-3.1.3-9].
    void hold(Entry& entry, SessionHolder& holder);
    /// The connection is gone: the session ends after `expiry_s` seconds, at once when 0. The will,
    /// if any, is published after its delay, at the latest when the session ends.
    void let_go(Entry& entry, uint32_t expiry_s, std::unique_ptr<Will> will);
    /// Ends a session that nobody holds; a will that waits is published.
    void end(Entry& entry);
    /// Ends all of them; what they hold is dropped with this reason.
    void end_all(DropReason reason);

    [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
    void count(int connected, int disconnected);

    HubShard& hub_;
    Books books_;
    // Keys view the sessions' own client ids.
    std::unordered_map<std::string_view, std::unique_ptr<Entry>> entries_;
};

}  // namespace trestle
