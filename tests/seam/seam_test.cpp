// One Asio on both sides of the seam: what a plugin does on the host's shards works, and error
// codes and exceptions mean the same to both.
#include "seam/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <future>

#include "core/hub.h"
#include "runtime/shard_pool.h"
#include "server/gateway.h"
#include "server/plugin_loader.h"

namespace trestle::seam {

namespace {

namespace asio = boost::asio;
constexpr size_t kShards = 2;

class QuietSink final : public LogSink {
 public:
    void write(LogLevel, std::string_view, std::string_view) override {}
};

/// Real shards, and nothing else of the gateway.
class SmallHost final : public Host {
 public:
    SmallHost() { pool_.start(); }
    [[nodiscard]] size_t shard_count() const override { return kShards; }
    Shard& shard(size_t index) override { return pool_[index]; }
    Metrics& metrics() override { return metrics_; }
    [[nodiscard]] Shard& home_of(std::string_view client_id) override {
        return pool_.home_of(client_id);
    }
    std::unique_ptr<ByteStreamProtocol> make_protocol(std::string_view, EndpointContext&,
                                                      const Settings&) override {
        return nullptr;
    }
    void stop() { pool_.stop(); }

 private:
    Hub hub_{kShards};
    Metrics metrics_{kShards};
    ShardPool pool_{hub_, kShards};
};

/// The result of something that happens on a shard; a test that waits in vain fails, it does not
/// hang.
template <class T>
T result_of(std::future<T> future) {
    if (future.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
        throw std::runtime_error("nothing happened on the host's io_context");
    }
    return future.get();
}

Settings settings_of(const PluginDescriptor& descriptor, const std::string& fault) {
    Settings settings = Settings::defaults(descriptor.options());
    settings.set("fault", fault, true);
    return settings;
}

class Seam : public testing::Test {
 protected:
    void SetUp() override {
        std::string problem;
        const auto* descriptor = loader_.descriptor("probe", problem);
        ASSERT_NE(descriptor, nullptr) << problem;
        plugin_ = descriptor->create(host_);
        endpoint_ = plugin_->make_endpoint(context_, settings_of(*descriptor, "none"));
        probe_ = dynamic_cast<Probe*>(endpoint_.get());
        ASSERT_NE(probe_, nullptr) << "types are not the same on both sides";
        on_home([&] { endpoint_->start(); });
    }
    void TearDown() override { host_.stop(); }
    void on_home(const std::function<void()>& work) { ShardPool::run_on(context_.home(), work); }

    PluginLoader loader_{SEAM_PLUGINS};
    SmallHost host_;
    QuietSink sink_;
    EndpointContext context_{host_, 1, "probe", host_.shard(1), Log(sink_, "probe")};
    std::unique_ptr<Plugin> plugin_;
    std::unique_ptr<Endpoint> endpoint_;
    Probe* probe_ = nullptr;
};

}  // namespace

TEST_F(Seam, ATimerOfThePluginFiresOnTheHostsThread) {
    struct Fired {
        Probe::ErrorCode error;
        bool on_thread;
        Shard* shard;
    };
    std::promise<Fired> fired;
    on_home([&] {
        probe_->fire_timer([&](Probe::ErrorCode error, bool on_thread) {
            fired.set_value({error, on_thread, Shard::current()});
        });
    });
    const Fired result = result_of(fired.get_future());
    EXPECT_FALSE(result.error) << result.error.message();
    EXPECT_TRUE(result.on_thread) << "running_in_this_thread() does not hold in the plugin";
    EXPECT_EQ(result.shard, &context_.home());
}

TEST_F(Seam, DispatchRunsInline) {
    bool is_inline = false;
    on_home([&] { is_inline = probe_->dispatches_inline(); });
    EXPECT_TRUE(is_inline);
}

TEST_F(Seam, ErrorCodesAreEqualOnBothSides) {
    Probe::ErrorCode theirs;
    bool known = false;
    on_home([&] {
        theirs = probe_->make_eof();
        known = probe_->is_eof(asio::error::eof);
    });
    EXPECT_TRUE(theirs == asio::error::eof) << "made by the plugin, compared by the host";
    EXPECT_TRUE(known) << "made by the host, compared by the plugin";
    EXPECT_EQ(&theirs.category(), &asio::error::get_misc_category());
    EXPECT_FALSE(theirs == asio::error::not_found);
}

TEST_F(Seam, TheEndOfAStreamIsEofToTheHost) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    std::promise<Probe::ErrorCode> ended;
    on_home([&] {
        probe_->read_to_end(ends[0], [&](Probe::ErrorCode error) { ended.set_value(error); });
    });
    ASSERT_EQ(::write(ends[1], "some bytes that are more than sixteen", 37), 37);
    ::close(ends[1]);
    EXPECT_TRUE(result_of(ended.get_future()) == asio::error::eof);
}

TEST_F(Seam, ACoroutineOfThePluginRuns) {
    std::promise<int> counted;
    on_home([&] {
        probe_->run_coroutine(3, false, [&](std::exception_ptr failure, int count) {
            failure ? counted.set_exception(failure) : counted.set_value(count);
        });
    });
    EXPECT_EQ(result_of(counted.get_future()), 3);
}

TEST_F(Seam, ACoroutinesExceptionKeepsItsType) {
    std::promise<int> counted;
    on_home([&] {
        probe_->run_coroutine(2, true, [&](std::exception_ptr failure, int count) {
            failure ? counted.set_exception(failure) : counted.set_value(count);
        });
    });
    try {
        const int count = result_of(counted.get_future());
        FAIL() << "ended with " << count;
    } catch (const ProbeFault& fault) {
        EXPECT_EQ(fault.number(), 2);
    }
}

namespace {

/// A whole gateway with one endpoint of the probe, that fails to start.
class FailingStart : public testing::Test {
 protected:
    std::unique_ptr<Gateway> gateway(const std::string& fault) {
        std::string problem;
        const auto* descriptor = loader_.descriptor("probe", problem);
        if (descriptor == nullptr) throw std::runtime_error(problem);
        config_.shards = kShards;
        config_.endpoints.push_back({"probe", "probe", settings_of(*descriptor, fault), {}});
        return std::make_unique<Gateway>(config_, loader_, sink_, metrics_);
    }
    PluginLoader loader_{SEAM_PLUGINS};
    Config config_;
    QuietSink sink_;
    Metrics metrics_{kShards};
};

}  // namespace

TEST_F(FailingStart, AnExceptionOfThePluginIsCaughtByItsType) {
    const auto failing = gateway("own");
    try {
        failing->start();
        FAIL() << "it started";
    } catch (const ProbeFault& fault) {
        EXPECT_EQ(fault.number(), 42);
        EXPECT_STREQ(fault.what(), "the probe was told to fail");
    }
}

TEST_F(FailingStart, ASystemErrorKeepsItsCode) {
    const auto failing = gateway("system");
    try {
        failing->start();
        FAIL() << "it started";
    } catch (const boost::system::system_error& error) {
        EXPECT_TRUE(error.code() == asio::error::address_in_use);
    }
}

TEST_F(FailingStart, WithoutAFaultTheGatewayStartsAndStops) {
    const auto fine = gateway("none");
    fine->start();
    EXPECT_THAT(fine->not_ready(), testing::IsEmpty());
    fine->stop_and_wait();
    EXPECT_THAT(fine->not_ready(), testing::ElementsAre("draining"));
}

}  // namespace trestle::seam
