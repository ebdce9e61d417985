// A host whose gateway runs: without endpoints, and without a turn of any shard.
#pragma once

#include "fake_host.h"
#include "server/gateway.h"
#include "server/plugin_loader.h"

namespace trestle::test {

class RunningHost final : public FakeHost {
 public:
    Gateway* gateway() override { return &gateway_; }

 private:
    PluginLoader plugins_{"."};
    Gateway gateway_{config_, plugins_, log_, metrics_};
};

}  // namespace trestle::test
