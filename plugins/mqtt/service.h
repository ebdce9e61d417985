// MQTT for one endpoint: all its connections, on whatever streams they come.
//
// Made once per endpoint (its own, or a WebSocket endpoint's). `serve` and what it leads to run on
// the stream's shard; each shard's part is touched on that shard only. Outlives the shards'
// threads.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/session_quota.h"
#include "core/timer_queue.h"
#include "mqtt/options.h"
#include "mqtt/packet_counters.h"
#include "mqtt/pauses.h"
#include "plugin_api/plugin.h"
#include "plugin_api/subscription_refusals.h"

namespace trestle::mqtt {

class Connection;

class Service final : public ByteStreamProtocol {
 public:
    Service(EndpointContext& context, const Settings& settings);
    ~Service() override;

    void serve(std::unique_ptr<ByteStream> stream) override;
    /// Says goodbye to every client and closes its connection; `done` is called, on any thread,
    /// when all are gone. Those that are still there at `deadline_ms` are cut.
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    /// Cuts those now.
    void cut_short() override;

    // For connections, on their shard.

    /// Takes a connection's stream to the shard of its session and makes a new connection there.
    void move(Connection& connection, Shard& target, std::string_view unread);
    /// Destroys it.
    void remove(Connection& connection);

    [[nodiscard]] EndpointContext& context() const { return context_; }
    [[nodiscard]] const ClientOptions& options() const { return options_; }
    [[nodiscard]] const EndpointCounters& counters() const { return counters_; }
    [[nodiscard]] const PacketCounters& packets() const { return packets_; }
    [[nodiscard]] const SubscriptionRefusals& refusals() const { return refusals_; }
    [[nodiscard]] const SessionLedger& ledger() const { return ledger_; }
    [[nodiscard]] SessionQuota& session_quota() { return session_quota_; }
    [[nodiscard]] RepeatLimit& log_limit() { return log_limit_; }
    [[nodiscard]] Pauses& pauses(Shard& shard) { return shards_[shard.index()].pauses; }
    [[nodiscard]] bool full() const {
        return open_.load(std::memory_order_relaxed) > options_.max_connections;
    }

 private:
    struct PerShard {
        std::unordered_map<Connection*, std::unique_ptr<Connection>> connections;
        std::function<void()> when_empty;
        Pauses pauses;
        std::unique_ptr<Timer> deadline;  // of `stop`
        bool stopping = false;
    };
    void add(std::unique_ptr<ByteStream> stream, std::optional<PeerInfo> behind = {});
    static void cut_all(PerShard& mine);
    void stop_on(Shard& shard, uint64_t deadline_ms, const std::function<void()>& done);

    EndpointContext& context_;
    ClientOptions options_;
    EndpointCounters counters_;
    PacketCounters packets_;
    SubscriptionRefusals refusals_;
    SessionLedger ledger_;
    SessionQuota session_quota_;
    RepeatLimit log_limit_;
    std::atomic<uint32_t> open_{0};
    std::vector<PerShard> shards_;
};

}  // namespace trestle::mqtt
