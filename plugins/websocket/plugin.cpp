// What the shared object `websocket` exports.
#include "plugin_api/plugin.h"

#include "websocket/endpoint.h"

namespace trestle::websocket {

namespace {

class WebSocketPlugin final : public Plugin {
 public:
    std::unique_ptr<Endpoint> make_endpoint(EndpointContext& context,
                                            const Settings& settings) override {
        // The host adds the object when a plugin offers the protocol.
        std::unique_ptr<ByteStreamProtocol> mqtt;
        if (settings.has("mqtt")) {
            mqtt = context.host().make_protocol("mqtt", context, settings.object("mqtt"));
        }
        return std::make_unique<WebSocketEndpoint>(context, WebSocketOptions::from(settings),
                                                   settings.object("json"), std::move(mqtt));
    }
};

const PluginDescriptor kDescriptor = {
    kPluginApiVersion,
    TRESTLE_BUILD_STAMP,
    "websocket",
    "MQTT and JSON over WebSocket",
    describe_options,
    [] { return std::vector<std::string>(); },
    [](std::string_view) { return std::vector<Option>(); },
    check_options,
    [](const Settings&) { return EndpointKind(); },
    [](Host&) -> std::unique_ptr<Plugin> { return std::make_unique<WebSocketPlugin>(); },
    true,  // carries_protocols
};

}  // namespace

}  // namespace trestle::websocket

extern "C" const trestle::PluginDescriptor* trestle_plugin_websocket();
extern "C" const trestle::PluginDescriptor* trestle_plugin_websocket() {
    return &trestle::websocket::kDescriptor;
}
