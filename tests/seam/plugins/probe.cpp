// The plugin that the seam test loads.
#include "seam/probe.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace trestle::seam {

namespace {

namespace asio = boost::asio;

class Reader : public std::enable_shared_from_this<Reader> {
 public:
    Reader(asio::io_context& io, int descriptor, std::function<void(Probe::ErrorCode)> ended)
        : socket_(io, asio::local::stream_protocol(), descriptor), ended_(std::move(ended)) {}
    void read() {
        socket_.async_read_some(asio::buffer(bytes_),
                                [self = shared_from_this()](Probe::ErrorCode error, size_t) {
                                    if (error) return self->ended_(error);
                                    self->read();
                                });
    }

 private:
    asio::local::stream_protocol::socket socket_;
    std::function<void(Probe::ErrorCode)> ended_;
    char bytes_[16];
};

asio::awaitable<int> count(int turns, bool fail) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    int done = 0;
    for (; done < turns; ++done) {
        timer.expires_after(std::chrono::milliseconds(1));
        co_await timer.async_wait(asio::use_awaitable);
    }
    if (fail) throw ProbeFault(done);
    co_return done;
}

class ProbeEndpoint final : public Probe {
 public:
    ProbeEndpoint(EndpointContext& context, std::string fault)
        : shard_(context.home()), fault_(std::move(fault)) {}

    void start() override {
        if (fault_ == "own") throw ProbeFault(42);
        if (fault_ == "system") {
            throw boost::system::system_error(asio::error::address_in_use, "probe");
        }
    }
    void stop_listening() override {}
    void stop(uint64_t, std::function<void()> done) override { done(); }

    void fire_timer(std::function<void(ErrorCode, bool)> fired) override {
        auto timer =
            std::make_shared<asio::steady_timer>(shard_.io(), std::chrono::milliseconds(1));
        timer->async_wait([this, timer, fired = std::move(fired)](ErrorCode error) {
            fired(error,
                  shard_.io().get_executor().running_in_this_thread() && shard_.is_current());
        });
    }
    bool dispatches_inline() override {
        bool ran = false;
        asio::dispatch(shard_.io(), [&] { ran = true; });
        return ran;
    }
    ErrorCode make_eof() override { return asio::error::eof; }
    bool is_eof(ErrorCode code) override { return code == asio::error::eof; }
    void read_to_end(int descriptor, std::function<void(ErrorCode)> ended) override {
        std::make_shared<Reader>(shard_.io(), descriptor, std::move(ended))->read();
    }
    void run_coroutine(int turns, bool fail,
                       std::function<void(std::exception_ptr, int)> ended) override {
        asio::co_spawn(shard_.io(), count(turns, fail), std::move(ended));
    }

 private:
    Shard& shard_;
    std::string fault_;
};

class ProbePlugin final : public Plugin {
 public:
    std::unique_ptr<Endpoint> make_endpoint(EndpointContext& context,
                                            const Settings& settings) override {
        return std::make_unique<ProbeEndpoint>(context, settings.string("fault"));
    }
};

}  // namespace

}  // namespace trestle::seam

extern "C" const trestle::PluginDescriptor* trestle_plugin_probe();
extern "C" const trestle::PluginDescriptor* trestle_plugin_probe() {
    using namespace trestle;
    static const PluginDescriptor descriptor{
        kPluginApiVersion,
        TRESTLE_BUILD_STAMP,
        "probe",
        "Does what the seam test asks for",
        [] {
            return std::vector<Option>{Option::string("fault", "What start throws")
                                           .one_of({"none", "own", "system"})
                                           .fallback("none")};
        },
        [] { return std::vector<std::string>(); },
        [](std::string_view) { return std::vector<Option>(); },
        nullptr,
        [](const Settings&) { return EndpointKind(); },
        [](Host&) -> std::unique_ptr<Plugin> { return std::make_unique<seam::ProbePlugin>(); }};
    return &descriptor;
}
