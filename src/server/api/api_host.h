// What the admin API needs of the running server, and how it asks the shards.
//
// Handlers run on the main thread and never wait: whatever belongs to a shard is read there by
// posted work, in bounded portions, and the answer is sent when all have answered.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "plugin_api/shard.h"
#include "server/config_diff.h"
#include "server/router.h"

namespace trestle {

struct Config;
class Gateway;
class LogSink;
class Metrics;

using ordered_json = nlohmann::ordered_json;

/// How a reload went. With faults nothing has changed.
struct ReloadOutcome {
    std::vector<std::string> faults;
    ConfigDiff diff;
};

/// The server, as the API sees it. Main thread.
class ApiHost {
 public:
    virtual ~ApiHost() = default;
    virtual boost::asio::io_context& io() = 0;
    virtual const Config& config() = 0;
    /// Null until it runs.
    virtual Gateway* gateway() = 0;
    virtual Metrics& metrics() = 0;
    virtual LogSink& log_sink() = 0;
    virtual ReloadOutcome reload() = 0;
    /// As SIGTERM: drains and ends; returns at once. Again, while it drains: nothing.
    virtual void drain() = 0;
};

HttpResponse json_response(const ordered_json& body, unsigned status = 200);

/// Runs `read` on the shard, then `then` with what it returned, on the main thread.
template <class Read, class Then>
void ask_shard(ApiHost& host, Shard& shard, Read read, Then then) {
    shard.post([&host, &shard, read = std::move(read), then = std::move(then)]() mutable {
        boost::asio::post(host.io(), [result = read(shard), then = std::move(then)]() mutable {
            then(std::move(result));
        });
    });
}

/// Runs `read` on all these shards, then `then` with a vector of the results, in their order.
template <class Read, class Then>
void ask_shards(ApiHost& host, const std::vector<Shard*>& shards, Read read, Then then) {
    using Result = std::invoke_result_t<Read, Shard&>;
    struct Asked {
        std::vector<Result> results;
        size_t left;
        Then then;
    };
    const auto asked = std::make_shared<Asked>(
        Asked{std::vector<Result>(shards.size()), shards.size(), std::move(then)});
    for (size_t i = 0; i < shards.size(); ++i) {
        ask_shard(host, *shards[i], read, [asked, i](Result result) {
            asked->results[i] = std::move(result);
            if (--asked->left == 0) asked->then(std::move(asked->results));
        });
    }
}

std::vector<Shard*> all_shards(ApiHost& host);

/// The handler's own answer while the gateway starts: 503.
HttpLaterHandler when_running(ApiHost& host, HttpLaterHandler handler);
/// The same, while it drains as well: for what is of no use then.
HttpLaterHandler when_open(ApiHost& host, HttpLaterHandler handler);

// The parts of the API; each adds its paths. All of them outlive nothing but the call, `host` and
// the router live on.
void add_client_api(Router& router, ApiHost& host);
void add_subscription_api(Router& router, ApiHost& host);
void add_retained_api(Router& router, ApiHost& host);
void add_route_api(Router& router, ApiHost& host);
void add_worker_api(Router& router, ApiHost& host);
void add_operator_api(Router& router, ApiHost& host);
void add_publish_api(Router& router, ApiHost& host);

}  // namespace trestle
