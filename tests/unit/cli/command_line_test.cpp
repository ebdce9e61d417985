// Commands from their arguments to exit code and output.
#include "cli/command_line.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "../server/fake_plugins.h"
#include "server/version.h"

namespace trestle {
namespace {

class CommandLine : public ::testing::Test {
 protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "trestle-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        before_ = std::filesystem::current_path();
        std::filesystem::current_path(folder_);
    }
    void TearDown() override {
        std::filesystem::current_path(before_);
        std::filesystem::remove_all(folder_);
    }
    void write(const std::string& name, const std::string& text) { std::ofstream(name) << text; }

    int run(std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "trestle");
        out_.str("");
        err_.str("");
        const CommandHost host{[this]() -> PluginCatalog& { return plugins_; },
                               [this](const ConfigArguments& given) {
                                   served_ = given;
                                   return kFailed;
                               },
                               out_, err_};
        return run_command_line(static_cast<int>(arguments.size()), arguments.data(), host);
    }

    std::string folder_;
    std::filesystem::path before_;
    test::FakePlugins plugins_;
    std::ostringstream out_, err_;
    ConfigArguments served_;
};

const std::string kRoutes =
    R"({"name": "temperatures", "mqtt": "sensors/{site}/{device}/temperature",
        "zmq": "temperature.{site}.{device}.", "to": "telemetry", "from": "ingest", "retain": true},
       {"name": "north", "mqtt": "sensors/north/{device}/temperature",
        "zmq": "n.{device}.", "to": "telemetry"},
       {"name": "all", "mqtt": "sensors/{rest...}", "zmq": "all", "to": "jobs",
        "exclude": ["sensors/+/secret/#"]},
       {"name": "raw", "mqtt": "raw/in", "zmq": "raw", "from": "raw"})";

TEST_F(CommandLine, WrongUse) {
    for (const auto& arguments :
         std::vector<std::vector<const char*>>{{},
                                               {"dance"},
                                               {"serve", "--nope"},
                                               {"serve", "x"},
                                               {"check", "--config"},
                                               {"explain", "--config", "c.json"},
                                               {"explain", "--zmq", "only-one"},
                                               {"schema", "x"},
                                               {"serve"},
                                               {"check"},
                                               {"check", "--config", "absent.json"}}) {
        write("c.json", R"({"endpoints": {}})");
        EXPECT_EQ(run(arguments), kWrongUse) << testing::PrintToString(arguments);
        EXPECT_NE(err_.str(), "") << testing::PrintToString(arguments);
        EXPECT_EQ(out_.str(), "") << testing::PrintToString(arguments);
    }
}

TEST_F(CommandLine, HelpAndVersion) {
    EXPECT_EQ(run({"--help"}), kFine);
    for (const char* word : {"serve", "check", "explain", "schema", "health", "--version"}) {
        EXPECT_NE(out_.str().find(word), std::string::npos) << word;
    }
    EXPECT_EQ(run({"--version"}), kFine);
    EXPECT_EQ(out_.str(),
              std::string("trestle ") + program_version() + " (commit " + program_commit() + ")\n");
    EXPECT_STREQ(program_version(), "0.1.0");
}

TEST_F(CommandLine, ServeGetsItsArguments) {
    EXPECT_EQ(run({"serve", "--config", "x.json", "--set", "shards=2", "--set", "log.level=debug"}),
              kFailed)
        << "the exit code is serve's own";
    EXPECT_EQ(served_.file, "x.json");
    EXPECT_EQ(served_.sets, (std::vector<std::string>{"shards=2", "log.level=debug"}));
    write("trestle.json", "{}");
    run({"serve"});
    EXPECT_EQ(served_.file, "./trestle.json");
}

TEST_F(CommandLine, Check) {
    write("good.json", R"({"endpoints": {}})");
    EXPECT_EQ(run({"check", "--config", "good.json"}), kFine);
    EXPECT_EQ(out_.str(), "good.json: ok, 0 endpoints, 0 routes\n");
    EXPECT_EQ(err_.str(), "");
    write("bad.json", R"({"endpoint": {}, "shards": 0})");
    EXPECT_EQ(run({"check", "-c", "bad.json"}), kWrongUse);
    EXPECT_NE(
        err_.str().find("bad.json: endpoint: found an unknown key (did you mean \"endpoints\"?)"),
        std::string::npos)
        << err_.str();
    EXPECT_NE(err_.str().find("bad.json: shards: found 0"), std::string::npos);
    EXPECT_NE(err_.str().find("bad.json: 3 faults\n"), std::string::npos) << err_.str();
    EXPECT_EQ(out_.str(), "");
    EXPECT_EQ(run({"check", "-c", "good.json", "--set", "shards=x"}), kWrongUse);
}

TEST_F(CommandLine, Schema) {
    EXPECT_EQ(run({"schema"}), kFine);
    EXPECT_NE(out_.str().find("2020-12"), std::string::npos);
}

TEST_F(CommandLine, ExplainTopic) {
    write("c.json", test::config_with_routes(kRoutes));
    ASSERT_EQ(run({"explain", "--config", "c.json", "sensors/south/t1/temperature"}), kFine)
        << err_.str();
    const std::string text = out_.str();
    EXPECT_EQ(text.find("topic: sensors/south/t1/temperature\n"
                        "route temperatures: matches\n"
                        "  template: sensors/{site}/{device}/temperature -> "
                        "temperature.{site}.{device}.\n"
                        "  endpoint: telemetry\n"
                        "  key: temperature.south.t1.\n"
                        "  frames: [temperature.south.t1.] [<payload>]\n"
                        "route all: matches\n"
                        "  template: sensors/{rest...} -> all\n"
                        "  endpoint: jobs\n"
                        "  key: all\n"
                        "  frames: [all] [<payload>]\n"
                        "route north: does not match\n"
                        "  why: "),
              0U)
        << text;
    EXPECT_EQ(text.find("route raw"), std::string::npos) << "it takes nothing from MQTT";
}

TEST_F(CommandLine, ExplainTopicOverruledAndExcluded) {
    write("c.json", test::config_with_routes(kRoutes));
    ASSERT_EQ(run({"explain", "--config", "c.json", "sensors/north/secret/temperature"}), kFine);
    const std::string text = out_.str();
    for (const char* part : {"route north: matches\n", "  key: n.secret.\n",
                             "route temperatures: overruled\n"
                             "  why: route north goes to the same endpoint and is more specific\n",
                             "route all: excluded\n  why: exclude has sensors/+/secret/#\n"}) {
        EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
    }
    ASSERT_EQ(run({"explain", "--config", "c.json", "other"}), kFine);
    EXPECT_TRUE(out_.str().ends_with("no route takes it: only subscribers get it\n")) << out_.str();
    EXPECT_EQ(run({"explain", "--config", "c.json", "sensors/#"}), kWrongUse);
    EXPECT_NE(err_.str().find("expected a topic name"), std::string::npos);
}

TEST_F(CommandLine, ExplainKey) {
    write("c.json", test::config_with_routes(kRoutes));
    ASSERT_EQ(run({"explain", "--config", "c.json", "--zmq", "ingest", "temperature.a.b."}), kFine)
        << err_.str();
    EXPECT_EQ(out_.str(),
              "endpoint: ingest\nkey: temperature.a.b.\n"
              "route temperatures: matches\n"
              "  template: temperature.{site}.{device}. -> sensors/{site}/{device}/temperature\n"
              "  topic: sensors/a/b/temperature\n"
              "  qos: 1, retained\n");
    ASSERT_EQ(run({"explain", "--config", "c.json", "--zmq", "ingest", "temperature.a"}), kFine);
    EXPECT_NE(out_.str().find("route temperatures: does not match\n  why: "), std::string::npos);
    EXPECT_TRUE(out_.str().ends_with("no route takes it: dropped, counted as no_route\n"));
    ASSERT_EQ(run({"explain", "--config", "c.json", "--zmq", "raw", "whatever"}), kFine);
    EXPECT_NE(out_.str().find("topic: raw/in\n"), std::string::npos) << out_.str();
    EXPECT_EQ(run({"explain", "--config", "c.json", "--zmq", "jobs", "k"}), kWrongUse);
    EXPECT_EQ(run({"explain", "--config", "c.json", "--zmq", "ingst", "k"}), kWrongUse);
    EXPECT_NE(err_.str().find("did you mean \"ingest\"?"), std::string::npos) << err_.str();
    EXPECT_EQ(run({"explain", "--config", "c.json", "--zmq", "raw", "k", "topic"}), kWrongUse);
}

// Answers so many connections with the text given, or with nothing at all.
class SameAnswer {
 public:
    explicit SameAnswer(std::string answer, int times = 1) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        ::listen(listener_, 1);
        thread_ = std::thread([this, times] {
            for (int i = 0; i < times; ++i) {
                const int peer = ::accept(listener_, nullptr, nullptr);
                if (peer < 0) return;
                answer_to(peer);
                ::close(peer);
            }
        });
    }
    SameAnswer(const SameAnswer&) = delete;
    SameAnswer& operator=(const SameAnswer&) = delete;
    ~SameAnswer() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    [[nodiscard]] int port() const { return port_; }

 private:
    void answer_to(int peer) {
        char buffer[1024];
        (void)::recv(peer, buffer, sizeof buffer, 0);
        if (!answer_.empty()) {
            (void)!::write(peer, answer_.data(), answer_.size());
        } else {
            (void)::recv(peer, buffer, sizeof buffer, 0);  // until the other side gives up
        }
    }
    std::string answer_;
    int listener_ = -1;
    int port_ = 0;
    std::thread thread_;
};

TEST_F(CommandLine, Health) {
    auto ask = [&](const std::string& answer) {
        SameAnswer server(answer);
        write("c.json", R"({"endpoints": {"x": {"plugin": "not-even-there"}},
                            "admin": {"listen": "http://127.0.0.1:)" +
                            std::to_string(server.port()) + "\"}}");
        return run({"health", "--config", "c.json"});
    };
    EXPECT_EQ(ask("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), kFine) << err_.str();
    EXPECT_EQ(out_.str(), "ready\n");
    EXPECT_EQ(ask("HTTP/1.1 503 Service Unavailable\r\n\r\ndraining"), kFailed);
    EXPECT_NE(err_.str().find("503 Service Unavailable: draining"), std::string::npos)
        << err_.str();
    EXPECT_EQ(ask("garbage"), kFailed);
    EXPECT_EQ(ask(""), kFailed) << "no answer at all";
    EXPECT_NE(err_.str().find("timed out"), std::string::npos) << err_.str();

    write("c.json", R"({"endpoints": {}})");
    EXPECT_EQ(run({"health", "--config", "c.json"}), kFailed) << "no admin at all";
    EXPECT_EQ(run({"health", "--config", "absent.json"}), kFailed);
    EXPECT_EQ(run({"health"}), kFailed);
    EXPECT_EQ(run({"health", "--config", "c.json", "--set", "admin.listen=http://127.0.0.1:1"}),
              kFailed);
    EXPECT_NE(err_.str().find("refused"), std::string::npos) << err_.str();
}

TEST_F(CommandLine, TopTellsInASentenceThatAnAnswerIsOdd) {
    for (const std::string odd : {"{}", R"({"endpoints": [1], "routes": {}})",
                                  R"({"endpoints": {"a": null}, "routes": {}})",
                                  R"({"endpoints": {"a": {"not_ready": null}}, "routes": {}})",
                                  R"({"endpoints": {}, "routes": {"r": {"waits": ["x"]}}})",
                                  R"({"version": 3, "endpoints": {}, "routes": {}})"}) {
        SameAnswer server("HTTP/1.1 200 OK\r\n\r\n" + odd, 2);
        const std::string listen = "http://127.0.0.1:" + std::to_string(server.port());
        write("c.json", R"({"endpoints": {}, "admin": {"listen": ")" + listen + "\"}}");
        EXPECT_EQ(run({"top", "--config", "c.json", "--count", "1", "--interval", "0.1"}), kFailed)
            << odd;
        EXPECT_EQ(err_.str(), "trestle top: " + listen +
                                  ": the answer is not what a gateway of this version gives\n")
            << odd;
    }
}

}  // namespace
}  // namespace trestle
