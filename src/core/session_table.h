// The sessions that live on one shard, by client id: found again when the client comes back, ended
// when they expire. Used on its shard only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/counters.h"
#include "core/session.h"
#include "core/session_quota.h"
#include "core/timer_queue.h"
#include "core/will.h"

namespace trestle {

/// A connection as operators see it.
struct ConnectionReport {
    EndpointId endpoint = 0;
    std::string protocol;  ///< "MQTT 5.0"
    std::string address;   ///< the peer's
    std::string user;
    uint32_t keep_alive_s = 0;
    uint64_t connected_ms = 0;  ///< steady clock
};

/// The connection that uses a session at present.
class SessionHolder {
 public:
    virtual ~SessionHolder() = default;
    /// Another connection takes the session over [MQTT-3.1.4-3]: lets go of it before returning.
    virtual void take_over() = 0;
    /// An operator ends the connection: lets go of the session before returning.
    virtual void send_away() { take_over(); }
    [[nodiscard]] virtual ConnectionReport report() const { return {}; }
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
        /// Among those that outlive their connections; empty when it does not.
        SessionQuota::Place place;
        /// When it ends unless a connection comes back (steady clock); 0: not so far.
        [[nodiscard]] uint64_t expires_at_ms() const {
            return expiry_.is_set() ? expiry_.due_ms() : 0;
        }

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
    /// Those after a client id, in order of client ids, until `visit(Entry&)` says false; "" begins
    /// at the first one. `visit` changes nothing here.
    template <class Visit>
    void walk(std::string_view after, Visit visit) const {
        for (auto at = entries_.upper_bound(after); at != entries_.end(); ++at) {
            if (!visit(*at->second)) return;
        }
    }

 private:
    void count(int connected, int disconnected);

    HubShard& hub_;
    Books books_;
    // Keys view the sessions' own client ids. In order, so that a page goes on where one ended.
    std::map<std::string_view, std::unique_ptr<Entry>> entries_;
};

}  // namespace trestle
