#include "zmq/options.h"

#include <gtest/gtest.h>

#include "test_gateway.h"

namespace trestle::zmq {
namespace {

class Faults final : public FaultSink {
 public:
    void fault(std::string_view path, std::string message) override {
        faults.emplace_back(path, std::move(message));
    }
    void warning(std::string_view path, std::string message) override {
        warnings.emplace_back(path, std::move(message));
    }
    std::vector<std::pair<std::string, std::string>> faults;
    std::vector<std::pair<std::string, std::string>> warnings;
};

using List = std::vector<std::string>;

Faults check(const Settings& settings) {
    Faults faults;
    check_options(settings, faults);
    return faults;
}

std::string only_fault(const Settings& settings) {
    const auto found = check(settings).faults;
    return found.size() == 1 ? found[0].first : "(" + std::to_string(found.size()) + " faults)";
}

TEST(ZmqOptions, DefaultsAreFine) {
    for (const auto* socket : {"pub", "push", "pull", "sub"}) {
        const auto settings = settings_for(socket);
        EXPECT_TRUE(check(settings).faults.empty());
        EXPECT_TRUE(check(settings).warnings.empty());
    }
    EXPECT_EQ(20'000, EndpointOptions::from(settings_for("pub")).send_hwm);
    EXPECT_LT(EndpointOptions::from(settings_for("push")).send_hwm, 1001);
    EXPECT_EQ(7, EndpointOptions::from(settings_for("push", {{"send_hwm", int64_t{7}}})).send_hwm);
}

TEST(ZmqOptions, WhoTakesItsTimeOverJobsIsNotPinged) {
    for (const auto* socket : {"push", "pull", "sub"}) {
        EXPECT_EQ(0, EndpointOptions::from(settings_for(socket)).heartbeat_ms) << socket;
    }
    EXPECT_EQ(5000, EndpointOptions::from(settings_for("pub")).heartbeat_ms);
    const auto pinged = EndpointOptions::from(settings_for("push", {{"heartbeat_ms", int64_t{7}}}));
    EXPECT_EQ(7, pinged.heartbeat_ms);
    EXPECT_EQ(21, pinged.heartbeat_timeout_ms);
}

TEST(ZmqOptions, ARoutersSilenceIsWhatZmtpCanTell) {
    const auto silent = [](int64_t heartbeat_ms) {
        return settings_for("router", {{"heartbeat_ms", heartbeat_ms}, {"liveness", int64_t{10}}});
    };
    EXPECT_TRUE(check(silent(600'000)).faults.empty());
    EXPECT_EQ("heartbeat_ms", only_fault(settings_for("router", {{"heartbeat_ms", int64_t{600'000}},
                                                                 {"liveness", int64_t{11}}})));
}

TEST(ZmqOptions, AnAddressIsNeeded) {
    EXPECT_EQ("", only_fault(settings_for("pub", {{"bind", List{}}})));
    EXPECT_TRUE(check(settings_for("pub", {{"bind", List{}}, {"connect", List{"tcp://a:1"}}}))
                    .faults.empty());
}

TEST(ZmqOptions, AddressesAreChecked) {
    for (const auto* good :
         {"tcp://127.0.0.1:5555", "tcp://[::1]:5555", "ipc:///tmp/x", "ipc://@x"}) {
        EXPECT_TRUE(check(settings_for("sub", {{"bind", List{good}}})).faults.empty()) << good;
        EXPECT_TRUE(check(settings_for("sub", {{"connect", List{good}}})).faults.empty()) << good;
    }
    for (const auto* bad : {"udp://127.0.0.1:5555", "inproc://x", "http://127.0.0.1:80",
                            "tcp://127.0.0.1:5555/path"}) {
        EXPECT_EQ("bind[1]", only_fault(settings_for("sub", {{"bind", List{"ipc:///a", bad}}})));
        EXPECT_EQ("connect[0]", only_fault(settings_for("sub", {{"connect", List{bad}}}))) << bad;
    }
    for (const auto* bad : {"tcp://*:5555", "tcp://127.0.0.1:0", "tcp://127.0.0.1", "nothing"}) {
        EXPECT_EQ("connect[0]", only_fault(settings_for("sub", {{"connect", List{bad}}}))) << bad;
    }
}

TEST(ZmqOptions, KeysThatDoNotGoTogether) {
    using Value = Settings::Value;
    EXPECT_EQ("separator", only_fault(settings_for("pub", {{"format", Value(std::string("single"))},
                                                           {"separator", std::string()}})));
    EXPECT_EQ("subscribe", only_fault(settings_for("pull", {{"subscribe", List{"a"}}})));
    EXPECT_EQ(1U, check(settings_for("pub", {{"separator", std::string(":")}})).warnings.size());
}

TEST(ZmqOptions, TerminatorAndSequenceNeedAPlace) {
    const std::string nul = "nul";
    for (const auto* format : {"single", "payload"}) {
        const std::string name = format;
        EXPECT_EQ("terminator",
                  only_fault(settings_for("pub", {{"format", name}, {"terminator", nul}})));
        EXPECT_EQ("sequence",
                  only_fault(settings_for("pub", {{"format", name}, {"sequence", true}})));
    }
    EXPECT_EQ("sequence", only_fault(settings_for("push", {{"sequence", true}})));
    EXPECT_EQ(1U, check(settings_for("pub", {{"sequence_keys", int64_t{9}}})).warnings.size());
    EXPECT_EQ(1U, check(settings_for("push", {{"max_subscriptions", int64_t{9}}})).warnings.size());
    const auto settings = settings_for("pub", {{"terminator", nul}, {"sequence", true}});
    EXPECT_TRUE(check(settings).faults.empty());
    EXPECT_TRUE(kind_of(settings).terminates_keys);
}

TEST(ZmqOptions, NoClientOfARouterFillsWhatAllShare) {
    const auto router_of = [](std::vector<std::pair<std::string, Settings::Value>> more) {
        return EndpointOptions::from(settings_for("router", std::move(more))).router;
    };
    EXPECT_EQ(1000U, router_of({}).max_requests_per_client);
    EXPECT_EQ(32U << 20, router_of({}).max_request_bytes_per_client);
    EXPECT_EQ(1000U, router_of({{"max_requests", int64_t{5}}}).max_requests_per_client);
    EXPECT_EQ(2000U, router_of({{"max_requests", int64_t{20'000}}}).max_requests_per_client);
    EXPECT_EQ(7U, router_of({{"max_requests_per_client", int64_t{7}}}).max_requests_per_client);
    EXPECT_EQ("max_requests_per_client",
              only_fault(settings_for("push", {{"max_requests_per_client", int64_t{7}}})));
    EXPECT_EQ("max_request_timeout_ms",
              only_fault(settings_for("router", {{"max_request_timeout_ms", int64_t{100}}})));
}

TEST(ZmqOptions, Kinds) {
    const auto pub = kind_of(settings_for("pub"));
    EXPECT_TRUE(pub.takes_routes && pub.prefix_matched && !pub.gives_messages);
    const auto push = kind_of(settings_for("push"));
    EXPECT_TRUE(push.takes_routes && !push.prefix_matched && !push.gives_messages);
    const auto pull = kind_of(settings_for("pull"));
    EXPECT_TRUE(!pull.takes_routes && pull.gives_messages && !pull.needs_fixed_topic);
    EXPECT_TRUE(
        kind_of(settings_for("sub", {{"format", std::string("payload")}})).needs_fixed_topic);
}

}  // namespace
}  // namespace trestle::zmq
