// The JSON clients of one endpoint, on all shards. Made once per endpoint; `serve` runs on the
// connection's shard, and each shard's part is touched there only. Outlives the shards' threads.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "core/timer_queue.h"
#include "plugin_api/plugin.h"
#include "plugin_api/subscription_refusals.h"
#include "websocket/connection.h"
#include "websocket/json/operation.h"
#include "websocket/json/options.h"

namespace trestle::websocket::json {

class Client;

class Service {
 public:
    Service(EndpointContext& context, const Settings& settings);
    ~Service();

    /// Takes over a fresh connection that delivers messages.
    void serve(std::unique_ptr<Connection> connection);
    /// Says goodbye (1001) to every client; those that are still there at `deadline_ms` are cut.
    /// `done` is called once, on any thread, when all are gone.
    void stop(uint64_t deadline_ms, const std::function<void()>& done);
    /// Cuts those now.
    void cut_short();

    [[nodiscard]] uint64_t max_message_size() const { return options_.max_message_size; }
    [[nodiscard]] bool deflates() const { return options_.deflate; }

    // For clients, on their shard.

    /// Destroys it, later than its last call.
    void remove(Client& client);
    void count_error(ShardIndex shard, Code code) {
        errors_[static_cast<size_t>(code)]->add(shard);
    }
    void count_slow(ShardIndex shard) { slow_->add(shard); }
    [[nodiscard]] EndpointContext& context() const { return context_; }
    [[nodiscard]] const ClientOptions& options() const { return options_; }
    [[nodiscard]] const EndpointCounters& counters() const { return counters_; }
    [[nodiscard]] const SubscriptionRefusals& refusals() const { return refusals_; }
    [[nodiscard]] const SessionLedger& ledger() const { return ledger_; }
    [[nodiscard]] RepeatLimit& log_limit() { return log_limit_; }

 private:
    struct PerShard {
        std::unordered_map<Client*, std::shared_ptr<Client>> clients;
        std::function<void()> when_empty;
        std::unique_ptr<Timer> deadline;  // of `stop`
        bool stopping = false;
    };
    static void cut_all(PerShard& mine);
    void stop_on(Shard& shard, uint64_t deadline_ms, const std::function<void()>& done);

    EndpointContext& context_;
    ClientOptions options_;
    EndpointCounters counters_;
    SubscriptionRefusals refusals_;
    SessionLedger ledger_;
    std::array<Counter*, kCodes> errors_{};
    Counter* slow_;
    RepeatLimit log_limit_{20, std::chrono::seconds(10)};
    std::vector<PerShard> shards_;
};

}  // namespace trestle::websocket::json
