// ${...}, --set and comments.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "fake_plugins.h"

namespace trestle {
namespace {

using test::parse;
using test::Setting;

class ConfigText_ : public ::testing::Test {
 protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "trestle-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    std::string write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ + "/" + name, std::ios::binary) << content;
        return folder_ + "/" + name;
    }
    // The value that a string option gets.
    std::string secret(const std::string& text, Setting setting = {}) {
        setting.folder = folder_;
        last_ = parse(R"({"endpoints": {"z": {"plugin": "zmq", "socket": "pub", "secret": ")" +
                          text + R"(", "bind": ["tcp://127.0.0.1:1"]}}})",
                      setting);
        return last_.config ? last_.config->endpoint("z")->settings.string("secret") : "FAULT";
    }
    std::string folder_;
    test::Parsed last_;
};

TEST_F(ConfigText_, Environment) {
    Setting setting;
    setting.environment = {{"A", "one"}, {"EMPTY", ""}, {"_x9", "${A}"}};
    EXPECT_EQ(secret("${A}", setting), "one");
    EXPECT_EQ(secret("<${A}${A}>", setting), "<oneone>");
    EXPECT_EQ(secret("${B:-two}", setting), "two");
    EXPECT_EQ(secret("${B:-}", setting), "");
    EXPECT_EQ(secret("${B:-a:-b}", setting), "a:-b");
    EXPECT_EQ(secret("${EMPTY:-two}", setting), "two");
    EXPECT_EQ(secret("${EMPTY}", setting), "");
    EXPECT_EQ(secret("${A:-two}", setting), "one");
    EXPECT_EQ(secret("${_x9}", setting), "${A}") << "values are not replaced again";
    EXPECT_EQ(secret("$${A}", setting), "${A}");
    EXPECT_EQ(secret("$$${A}", setting), "$${A}");
    EXPECT_EQ(secret("$A {A} $ $$ }", setting), "$A {A} $ $$ }");
}

TEST_F(ConfigText_, EnvironmentFaults) {
    EXPECT_EQ(secret("${NOPE}"), "FAULT");
    EXPECT_NE(
        last_.text().find("endpoints.z.secret: found ${NOPE}, but the environment has no NOPE"),
        std::string::npos)
        << last_.text();
    for (const char* text : {"${}", "${a b}", "${1x}", "${:-x}", "${a", "x${", "${file:}"}) {
        EXPECT_EQ(secret(text), "FAULT") << text;
        EXPECT_TRUE(last_.faults.knows("endpoints.z.secret")) << text;
    }
    Setting setting;
    setting.environment = {{"BAD", "\xff\xfe"}};
    EXPECT_EQ(secret("${BAD}", setting), "FAULT");
    EXPECT_NE(last_.text().find("not UTF-8"), std::string::npos);
}

TEST_F(ConfigText_, Files) {
    const std::string file = write("secret", "s3cret\n");
    EXPECT_EQ(secret("${file:" + file + "}"), "s3cret");
    EXPECT_EQ(secret("${file:secret}"), "s3cret") << "relative to the config's folder";
    write("two", "a\n\n");
    EXPECT_EQ(secret("${file:two}"), "a\n") << "one newline only";
    write("dos", "a\r\n");
    EXPECT_EQ(secret("${file:dos}"), "a");
    write("none", "");
    EXPECT_EQ(secret("x${file:none}"), "x");
    ASSERT_EQ(::symlink("secret", (folder_ + "/link").c_str()), 0);
    EXPECT_EQ(secret("${file:link}"), "s3cret");
    EXPECT_EQ(secret("${file:absent}"), "FAULT");
    EXPECT_NE(last_.text().find("No such file"), std::string::npos) << last_.text();
    EXPECT_EQ(secret("${file:" + folder_ + "}"), "FAULT");
    EXPECT_NE(last_.text().find("folder"), std::string::npos) << last_.text();
    write("binary", std::string("\xff\x00", 2));
    EXPECT_EQ(secret("${file:binary}"), "FAULT");
    write("huge", std::string(2 << 20, 'x'));
    EXPECT_EQ(secret("${file:huge}"), "FAULT");
    EXPECT_EQ(secret("${file:/dev/zero}"), "FAULT") << "endless";
}

TEST_F(ConfigText_, ContentOfFilesStaysSecret) {
    write("level", "hunter2\n");
    Setting setting;
    setting.folder = folder_;
    const auto parsed = parse(R"({"endpoints": {}, "log": {"level": "${file:level}"}})", setting);
    EXPECT_TRUE(parsed.faults.knows("log.level"));
    EXPECT_EQ(parsed.text().find("hunter2"), std::string::npos) << parsed.text();
    EXPECT_NE(parsed.text().find("${file:level}"), std::string::npos) << parsed.text();
}

TEST_F(ConfigText_, ReplacedStringsMayBeNumbers) {
    Setting setting;
    setting.environment = {{"SHARDS", "3"}, {"ON", "true"}, {"BAD", "three"}};
    auto parsed = parse(R"({"endpoints": {}, "shards": "${SHARDS}"})", setting);
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_EQ(parsed.config->shards, 3);
    parsed = parse(R"({"endpoints": {}, "admin": {"anonymous": "${ON}"}})", setting);
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_TRUE(parsed.config->admin.anonymous);
    parsed = parse(R"({"endpoints": {}, "shards": "${BAD}"})", setting);
    EXPECT_NE(parsed.text().find("shards: found \"three\" (from ${BAD}), expected an integer"),
              std::string::npos)
        << parsed.text();
    // A string stays one, whatever it looks like.
    EXPECT_EQ(secret("${SHARDS}", setting), "3");
}

TEST(ConfigSet, Values) {
    Setting setting;
    setting.sets = {"shards=2",
                    "log.level=debug",
                    "endpoints.a.listen[0]=mqtt://127.0.0.1:1884",
                    "endpoints.a.listen[1]=mqtt://127.0.0.1:1885",
                    "endpoints.b={\"plugin\": \"zmq\", \"socket\": \"sub\"}",
                    "endpoints.b.connect=[\"tcp://h:1\"]",
                    "endpoints.b.secret=a=b c",
                    "[\"log\"].format=\"json\"",
                    "endpoints.a.session.max_queued=7"};
    const auto parsed = parse(
        R"({"endpoints": {"a": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:1"]}}})", setting);
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_EQ(parsed.config->shards, 2);
    EXPECT_EQ(parsed.config->log.level, "debug");
    EXPECT_EQ(parsed.config->log.format, "json");
    const Settings& a = parsed.config->endpoint("a")->settings;
    EXPECT_EQ(a.list("listen"),
              (std::vector<std::string>{"mqtt://127.0.0.1:1884", "mqtt://127.0.0.1:1885"}));
    EXPECT_EQ(a.object("session").integer("max_queued"), 7);
    EXPECT_EQ(parsed.config->endpoint("b")->settings.string("secret"), "a=b c");
}

TEST(ConfigSet, ReplacesLikeTheFile) {
    Setting setting;
    setting.environment = {{"N", "4"}};
    setting.sets = {"shards=${N}"};
    const auto parsed = parse(R"({"endpoints": {}})", setting);
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_EQ(parsed.config->shards, 4);
}

TEST(ConfigSet, Faults) {
    for (const char* set : {"shards", "=1", "", "a..b=1", ".a=1", "a.=1", "a[x]=1", "a[1=1",
                            "[0]=1", "a[-1]=1", "a[\"b=1", "a]b=1 2", "a[0]b=1"}) {
        Setting setting;
        setting.sets = {set};
        const auto parsed = parse(R"({"endpoints": {}})", setting);
        EXPECT_FALSE(parsed.config) << set;
    }
    const std::pair<const char*, const char*> rows[] = {
        {"shards.x=1", "shards: --set goes below it, but found a number"},
        {"shards[0]=1", "shards: --set goes below it, but found a number"},
        {"endpoints.a.listen[5]=x", "endpoints.a.listen[5]: --set names it"},
        {"shards=x", "shards: found \"x\", expected an integer"},
        {"shads=1", "did you mean \"shards\"?"},
    };
    for (const auto& [set, says] : rows) {
        Setting setting;
        setting.sets = {set};
        const auto parsed = parse(R"({"endpoints": {}, "shards": 1})", setting);
        EXPECT_NE(parsed.text().find(says), std::string::npos) << set << "\n" << parsed.text();
    }
}

TEST(ConfigVariables, LieOverTheFileAndUnderSet) {
    Setting setting;
    setting.environment = {{"N", "4"}};
    // In no order at all: parents go first, and element 2 before element 10.
    setting.variables = {{"TRESTLE__endpoints__a__listen__10", "mqtt://127.0.0.1:1893"},
                         {"TRESTLE__log__format", "json"},
                         {"TRESTLE__log", R"({"level": "debug", "format": "text"})"},
                         {"TRESTLE__shards", "${N}"},
                         {"TRESTLE__drain_timeout_ms", "7"},
                         {"TRESTLE__admin__anonymous", "true"},
                         {"TRESTLE__admin__token", "12345"},
                         {"TRESTLE__endpoints__b", R"({"plugin": "zmq", "socket": "sub"})"},
                         {"TRESTLE__endpoints__b__connect", R"(["tcp://h:1"])"},
                         {"TRESTLE__endpoints__b__secret", "9"}};
    for (int i = 0; i < 10; ++i) {
        setting.variables.push_back({"TRESTLE__endpoints__a__listen__" + std::to_string(i),
                                     "mqtt://127.0.0.1:" + std::to_string(1883 + i)});
    }
    setting.sets = {"drain_timeout_ms=8"};
    const auto parsed = parse(
        R"({"endpoints": {"a": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:1"]}}})", setting);
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_EQ(parsed.config->shards, 4);
    EXPECT_EQ(parsed.config->drain_timeout_ms, 8) << "--set lies over the environment";
    EXPECT_EQ(parsed.config->log, (LogConfig{"debug", "json"}));
    EXPECT_TRUE(parsed.config->admin.anonymous);
    EXPECT_EQ(parsed.config->admin.token, "12345") << "text stays text where text is wanted";
    const auto listen = parsed.config->endpoint("a")->settings.list("listen");
    ASSERT_EQ(listen.size(), 11U);
    EXPECT_EQ(listen[0], "mqtt://127.0.0.1:1883");
    EXPECT_EQ(listen[10], "mqtt://127.0.0.1:1893");
    EXPECT_EQ(parsed.config->endpoint("b")->settings.string("secret"), "9");
}

TEST(ConfigVariables, ANumberIsAKeyWhereThereIsAnObject) {
    Setting setting;
    setting.variables = {{"TRESTLE__endpoints__7__listen__0", "mqtt://127.0.0.1:1884"}};
    const auto parsed = parse(
        R"({"endpoints": {"7": {"plugin": "mqtt", "listen": ["mqtt://127.0.0.1:1"]}}})", setting);
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_EQ(parsed.config->endpoint("7")->settings.list("listen")[0], "mqtt://127.0.0.1:1884");
}

TEST(ConfigVariables, ElementsComeInOrderAmongOddNames) {
    const std::string element = "TRESTLE__endpoints__a__listen__";
    std::vector<std::string> names{"0", "9", "10", "1x", "09x"};
    std::ranges::sort(names);
    do {
        Setting setting;
        for (const auto& name : names) {
            setting.variables.push_back({element + name, "mqtt://127.0.0.1:1883"});
        }
        const auto parsed = parse(R"({"endpoints": {"a": {"plugin": "mqtt", "listen":
            ["mqtt://127.0.0.1:1", "mqtt://127.0.0.1:2", "mqtt://127.0.0.1:3",
             "mqtt://127.0.0.1:4", "mqtt://127.0.0.1:5", "mqtt://127.0.0.1:6",
             "mqtt://127.0.0.1:7", "mqtt://127.0.0.1:8", "mqtt://127.0.0.1:9"]}}})",
                                  setting);
        EXPECT_EQ(parsed.text().find("names it, but the list"), std::string::npos) << parsed.text();
    } while (std::ranges::next_permutation(names).found);
}

TEST(ConfigVariables, FaultsNameTheVariable) {
    const std::tuple<const char*, const char*, const char*> rows[] = {
        {"TRESTLE__", "1", "found the environment variable TRESTLE__, expected"},
        {"TRESTLE____x", "1", "TRESTLE____x, expected"},
        {"TRESTLE__log__", "1", "TRESTLE__log__, expected"},
        {"TRESTLE__shards", "three", R"(shards: found "three" (from TRESTLE__shards), expected)"},
        {"TRESTLE__shads", "3", R"(did you mean "shards"?) (given by TRESTLE__shads))"},
        {"TRESTLE__log__levle", "x", R"(did you mean "level"?) (given by TRESTLE__log__levle))"},
        {"TRESTLE__endpoint__a__plugin", "mqtt", "(given by TRESTLE__endpoint__a__plugin)"},
        {"TRESTLE__shards__0", "1", "shards: TRESTLE__shards__0 goes below it, but found a number"},
        {"TRESTLE__routes__3__name", "x", "routes[3]: TRESTLE__routes__3__name names it, but"},
        {"TRESTLE__log__level", "\xff", "the value of TRESTLE__log__level is not UTF-8"},
        {"TRESTLE__log__level", "${NONE}", "the environment has no NONE"},
        {"TRESTLE__log", "{", "expected an object { ... } (given by TRESTLE__log)"},
    };
    for (const auto& [name, value, says] : rows) {
        Setting setting;
        setting.variables = {{name, value}};
        const auto parsed =
            parse(R"({"endpoints": {}, "shards": 1, "log": {"level": "info"}})", setting);
        EXPECT_FALSE(parsed.config) << name;
        EXPECT_NE(parsed.text().find(says), std::string::npos) << name << "\n" << parsed.text();
    }
}

TEST(ConfigText, Comments) {
    const auto parsed =
        parse("// first\n{ /* here */ \"endpoints\": {}, // there\n \"shards\": 2 }\n");
    ASSERT_TRUE(parsed.config) << parsed.text();
    EXPECT_EQ(parsed.config->shards, 2);
}

TEST(ConfigText, FileThatCannotBeRead) {
    test::FakePlugins plugins;
    ConfigFaults faults("/nowhere/x.json");
    EXPECT_FALSE(Config::load("/nowhere/x.json", {}, plugins, faults));
    ASSERT_EQ(faults.lines().size(), 1U);
    EXPECT_EQ(faults.lines()[0], "/nowhere/x.json: cannot be read: No such file or directory");
}

}  // namespace
}  // namespace trestle
