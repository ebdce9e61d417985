// The ZeroMQ plugin: endpoints `pub`, `push`, `pull`, `sub` and `router`.
#include "plugin_api/plugin.h"

#include "zmq/options.h"
#include "zmq/pub_endpoint.h"
#include "zmq/push_endpoint.h"
#include "zmq/receiving_endpoint.h"
#include "zmq/router_endpoint.h"

namespace trestle::zmq {

namespace {

class ZmqPlugin final : public Plugin {
 public:
    std::unique_ptr<Endpoint> make_endpoint(EndpointContext& context,
                                            const Settings& settings) override {
        EndpointOptions options = EndpointOptions::from(settings);
        switch (options.socket) {
            case SocketKind::pub:
                return std::make_unique<PubEndpoint>(context, zmq_, std::move(options));
            case SocketKind::push:
                return std::make_unique<PushEndpoint>(context, zmq_, std::move(options));
            case SocketKind::router:
                return std::make_unique<RouterEndpoint>(context, zmq_, std::move(options));
            case SocketKind::pull:
            case SocketKind::sub:
                break;
        }
        return std::make_unique<ReceivingEndpoint>(context, zmq_, std::move(options));
    }

 private:
    Context zmq_;  // outlives the endpoints, as the plugin does
};

}  // namespace

}  // namespace trestle::zmq

extern "C" const trestle::PluginDescriptor* trestle_plugin_zmq() {
    using namespace trestle;
    static const PluginDescriptor kDescriptor{
        .api_version = kPluginApiVersion,
        .build_stamp = TRESTLE_BUILD_STAMP,
        .name = "zmq",
        .summary = "ZeroMQ sockets: pub, push, pull, sub, router",
        .options = [] { return trestle::zmq::describe_options(); },
        .protocols = [] { return std::vector<std::string>{}; },
        .protocol_options = [](std::string_view) { return std::vector<Option>{}; },
        .check = [](const Settings& settings,
                    FaultSink& faults) { trestle::zmq::check_options(settings, faults); },
        .kind = [](const Settings& settings) { return trestle::zmq::kind_of(settings); },
        .create = [](Host&) -> std::unique_ptr<Plugin> {
            return std::make_unique<trestle::zmq::ZmqPlugin>();
        }};
    return &kDescriptor;
}
