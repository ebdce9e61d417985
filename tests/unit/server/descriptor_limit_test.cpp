#include "server/descriptor_limit.h"

#include <gtest/gtest.h>

#include "plugin_api/net.h"
#include "server/config.h"

namespace trestle {
namespace {

EndpointConfig endpoint(int64_t max_connections, bool given) {
    EndpointConfig one;
    one.settings.set("max_connections", max_connections, given);
    return one;
}

TEST(DescriptorLimit, TellsWhatEndpointsPromiseTogetherAndCannotKeep) {
    const auto most = static_cast<int64_t>(descriptors_for_clients());
    Config config;
    config.endpoints = {endpoint(most / 2, true), endpoint(most - most / 2, true), {}};
    EXPECT_EQ(too_few_descriptors(config), "");
    config.endpoints.push_back(endpoint(1, true));
    EXPECT_NE(too_few_descriptors(config).find(std::to_string(most + 1) + " in all"),
              std::string::npos)
        << too_few_descriptors(config);
}

TEST(DescriptorLimit, ADefaultIsNoPromise) {
    Config config;
    config.endpoints = {endpoint(INT64_MAX, false)};
    EXPECT_EQ(too_few_descriptors(config), "");
}

}  // namespace
}  // namespace trestle
