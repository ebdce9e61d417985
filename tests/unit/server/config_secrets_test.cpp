// What is secret by its name is told by no fault, and shown to nobody.
#include <gtest/gtest.h>

#include "fake_plugins.h"
#include "server/config_secrets.h"

namespace trestle {
namespace {

using test::parse;
using test::Setting;

TEST(ConfigSecrets, ByName) {
    for (const char* path : {"token", "admin.token", "endpoints.z.key_password", "a.client_secret",
                             "private_key", "b.passphrase[0]", "credentials"}) {
        EXPECT_TRUE(is_secret(path)) << path;
    }
    for (const char* path : {"", "key", "routes[0].key", "admin.listen", "endpoints.a.user",
                             "endpoints.private-devices.listen[0]", "endpoints.secret"}) {
        EXPECT_FALSE(is_secret(path)) << path;
    }
}

TEST(ConfigSecrets, NoFaultTellsOne) {
    const auto admin = [](const std::string& token) {
        return R"({"endpoints": {}, "admin": {"token": )" + token + "}}";
    };
    const std::string good = R"({"endpoints": {}})";
    struct Row {
        std::string text;
        std::vector<std::string> sets;
        std::vector<ConfigVariable> variables;
    };
    const Row rows[] = {
        {admin("4711"), {}, {}},
        {admin("-4711.5"), {}, {}},
        {admin(R"(["4711"])"), {}, {}},
        {admin(R"({"x": "4711"})"), {}, {}},
        {admin(R"("4711${")"), {}, {}},
        {admin(R"("${4711}")"), {}, {}},
        {admin("\"4711\n\""), {}, {}},
        {admin("\"4711\\x\""), {}, {}},
        {admin("4711x"), {}, {}},
        {admin("\"4711"), {}, {}},
        {R"({"endpoints": {"z": {"plugin": "zmq", "socket": "pub", "secret": 4711}}})", {}, {}},
        {good, {"admin.token=4711"}, {}},
        {good, {"admin..token=4711"}, {}},
        {good, {"admin.token[=4711"}, {}},
        {good, {"admin.token[3]=4711"}, {}},
        {good, {"admin.token={\"4711\": \"4711\"}"}, {}},
        {good, {R"(admin={"token": "4711")"}, {}},
        {good, {R"(endpoints={"z": {"plugin": "zmq", "secret": "4711"})"}, {}},
        {good, {R"(routes=[ {"token": "4711")"}, {}},
        {good, {}, {{"TRESTLE__admin", R"({ "token": "4711")"}}},
        {good, {}, {{"TRESTLE__admin__token", "[\"4711\"]"}}},
        {good, {}, {{"TRESTLE__admin__token", "${4711}"}}},
        {good, {}, {{"TRESTLE__admin__token", "4711\xff"}}},
        {good, {}, {{"TRESTLE__admin____token", "4711"}}},
    };
    for (const auto& [text, sets, variables] : rows) {
        Setting setting;
        setting.sets = sets;
        setting.variables = variables;
        const auto parsed = parse(text, setting);
        EXPECT_FALSE(parsed.config) << text;
        EXPECT_EQ(parsed.text().find("4711"), std::string::npos) << parsed.text();
    }
}

TEST(ConfigSecrets, OnlyTheNameOfTheirFileIsShown) {
    Setting setting;
    setting.environment = {{"NONE", ""}};
    const std::pair<const char*, const char*> rows[] = {
        {"4711", "********"},
        {"4711${NONE}", "********"},
        {"${NONE:-4711}", "********"},
        {"4711${file:/dev/null}", "********"},
        {"${file:/dev/null}4711", "********"},
        {"${file:/proc/sys/kernel/ostype}", "${file:/proc/sys/kernel/ostype}"},
    };
    for (const auto& [token, shown] : rows) {
        const auto parsed = parse(
            R"({"endpoints": {}, "admin": {"token": ")" + std::string(token) + "\"}}", setting);
        ASSERT_TRUE(parsed.config) << parsed.text();
        const std::string line = "\"token\": \"" + std::string(shown) + "\"";
        EXPECT_NE(parsed.config->shown.find(line), std::string::npos) << parsed.config->shown;
        EXPECT_EQ(parsed.config->shown.find("4711"), std::string::npos) << parsed.config->shown;
    }
}

}  // namespace
}  // namespace trestle
