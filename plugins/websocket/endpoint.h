// A websocket endpoint: listeners on its home shard, connections spread over all shards, and what
// they are given to: the MQTT protocol of the `mqtt` plugin, or the JSON clients here.
#pragma once

#include <memory>
#include <vector>

#include "plugin_api/net.h"
#include "plugin_api/plugin.h"
#include "websocket/handshake.h"
#include "websocket/options.h"

namespace trestle::websocket {

class WebSocketEndpoint final : public Endpoint {
 public:
    /// `mqtt` is null when no plugin offers it.
    WebSocketEndpoint(EndpointContext& context, WebSocketOptions options, const Settings& json,
                      std::unique_ptr<ByteStreamProtocol> mqtt);
    ~WebSocketEndpoint() override;

    void start() override;
    void stop_listening() override;
    void stop(uint64_t deadline_ms, std::function<void()> done) override;
    void cut_short() override;
    [[nodiscard]] std::string not_ready() const override;

    /// Of the listeners, in the order of the options. On the home shard.
    [[nodiscard]] std::vector<uint16_t> ports() const;
    /// Sockets that count towards `max_connections` now. From any thread.
    [[nodiscard]] uint32_t connections() const { return *gate_->taken; }

 private:
    void accepted(Accepted accepted, const std::shared_ptr<const UpgradeRules>& rules);

    EndpointContext& context_;
    const WebSocketOptions options_;
    std::shared_ptr<Gate> gate_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::atomic<bool> listening_{false};
    size_t next_shard_;
};

}  // namespace trestle::websocket
