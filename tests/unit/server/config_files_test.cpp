// The files in config/ are what users start from: they must be right.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "fake_plugins.h"

namespace trestle {
namespace {

std::string content(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    return text.str();
}

std::filesystem::path config_folder() {
    return std::filesystem::path(TRESTLE_SOURCE_DIR) / "config";
}

TEST(ConfigFiles, DefaultIsFine) {
    const auto parsed = test::parse(content(config_folder() / "trestle.json"));
    ASSERT_TRUE(parsed.config) << parsed.text();
    for (const auto& warning : parsed.faults.warnings()) {
        EXPECT_EQ(warning.path, "routes[0].zmq")
            << "not explained in the file: " << warning.message;
    }
    EXPECT_EQ(parsed.config->endpoints.size(), 5U);
    EXPECT_EQ(parsed.config->routes.size(), 3U);
    for (const char* name : {"devices", "web", "telemetry", "jobs", "ingest"}) {
        EXPECT_NE(parsed.config->endpoint(name), nullptr) << name;
    }
}

TEST(ConfigFiles, ExamplesAreFine) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(config_folder() / "examples")) {
        if (entry.path().extension() != ".json") continue;
        test::Setting setting;
        setting.sets = {"admin.token=in place of a secret that is not mounted here"};
        const auto parsed = test::parse(content(entry.path()), setting);
        EXPECT_TRUE(parsed.config) << entry.path() << "\n" << parsed.text();
        ++count;
    }
    EXPECT_GE(count, 3U);
}

}  // namespace
}  // namespace trestle
