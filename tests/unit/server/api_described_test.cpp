// Every path that the API serves is described in openapi.json, and the other way round.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "fake_host.h"
#include "server/api/admin_api.h"
#include "server/api/assets.h"

namespace trestle {
namespace {

TEST(OpenApi, DescribesWhatIsServedAndNothingElse) {
    test::FakeHost host;
    Router router;
    const AdminApi api(router, host);
    constexpr std::string_view kBase = "/api/v1";
    std::set<std::string> served;
    for (const auto& entry : router.paths()) {
        const size_t blank = entry.find(' ');
        std::string path = entry.substr(blank + 1);
        if (!path.starts_with(kBase)) continue;
        path.erase(0, kBase.size());
        if (path.ends_with('/')) path += "{client_id}";
        served.insert(entry.substr(0, blank + 1) + path);
    }
    nlohmann::json document;
    for (const Asset& asset : assets()) {
        if (asset.path == "/api/v1/openapi.json") document = nlohmann::json::parse(asset.bytes);
    }
    std::set<std::string> described;
    for (const auto& [path, operations] : document["paths"].items()) {
        for (const auto& [method, operation] : operations.items()) {
            std::string name;
            for (const char c : method) name.push_back(static_cast<char>(c - 'a' + 'A'));
            described.insert(name + " " + path);
        }
    }
    EXPECT_EQ(served, described);
    EXPECT_GT(served.size(), 20u);
}

TEST(Dashboard, IsServedWithAPolicyThatForbidsOtherHosts) {
    test::FakeHost host;
    Router router;
    const AdminApi api(router, host);
    const auto open = AdminApi::open_paths();
    EXPECT_NE(std::ranges::find(open, "/"), open.end());
    for (const Asset& asset : assets()) {
        if (asset.path == "/api/v1/openapi.json") continue;
        EXPECT_EQ(asset.bytes.find("https://"), std::string_view::npos) << asset.path;
        EXPECT_EQ(asset.bytes.find("style=\""), std::string_view::npos) << asset.path;
    }
}

}  // namespace
}  // namespace trestle
