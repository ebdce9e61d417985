// The MQTT plugin: endpoints with listeners of their own, and the byte-stream protocol `mqtt`.
#include "plugin_api/plugin.h"

#include "mqtt/service.h"
#include "plugin_api/net.h"

namespace trestle::mqtt {

namespace {

class MqttEndpoint final : public Endpoint {
 public:
    MqttEndpoint(EndpointContext& context, const Settings& settings)
        : context_(context), service_(context, settings), listen_(settings.list("listen")) {}

    void start() override {
        for (const auto& address : listen_) {
            const auto parsed = parse_uri(address, 1883);
            listeners_.push_back(listen(
                context_.home(), *parsed.uri,
                [this](Accepted accepted) { take(std::move(accepted)); }, context_.log()));
            context_.log().info("listening on {}", parsed.uri->text());
        }
        listening_ = true;
    }

    void stop_listening() override {
        listening_ = false;
        listeners_.clear();
    }

    void stop(uint64_t deadline_ms, std::function<void()> done) override {
        listeners_.clear();
        service_.stop(deadline_ms, std::move(done));
    }
    void cut_short() override { service_.cut_short(); }

    [[nodiscard]] std::string not_ready() const override {
        return listening_ ? std::string() : "not listening";
    }

 private:
    // Round robin: most streams move once more, to their session's shard, when CONNECT has been
    // read.
    void take(Accepted accepted) {
        Shard& shard = context_.host().shard(next_++ % context_.host().shard_count());
        if (&shard == &context_.home()) {
            service_.serve(make_socket_stream(shard, std::move(accepted)));
            return;
        }
        auto moved = std::make_shared<Accepted>(std::move(accepted));
        shard.post([this, &shard, moved] {
            service_.serve(make_socket_stream(shard, std::move(*moved)));
        });
    }

    EndpointContext& context_;
    Service service_;
    std::vector<std::string> listen_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::atomic<bool> listening_{false};
    size_t next_ = 0;
};

class MqttPlugin final : public Plugin {
 public:
    std::unique_ptr<Endpoint> make_endpoint(EndpointContext& context,
                                            const Settings& settings) override {
        return std::make_unique<MqttEndpoint>(context, settings);
    }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view name,
                                                      EndpointContext& context,
                                                      const Settings& settings) override {
        if (name != "mqtt") return nullptr;
        return std::make_unique<Service>(context, settings);
    }
};

}  // namespace

}  // namespace trestle::mqtt

extern "C" const trestle::PluginDescriptor* trestle_plugin_mqtt() {
    using namespace trestle;
    static const PluginDescriptor kDescriptor{
        kPluginApiVersion,
        TRESTLE_BUILD_STAMP,
        "mqtt",
        "MQTT 3.1, 3.1.1 and 5.0 broker",
        [] { return mqtt::endpoint_options(); },
        [] { return std::vector<std::string>{"mqtt"}; },
        [](std::string_view) { return mqtt::protocol_options(); },
        [](const Settings& settings, FaultSink& faults) { mqtt::check_endpoint(settings, faults); },
        [](const Settings&) { return EndpointKind{}; },
        [](Host&) -> std::unique_ptr<Plugin> { return std::make_unique<mqtt::MqttPlugin>(); }};
    return &kDescriptor;
}
