#include "websocket/json/service.h"

#include <utility>

#include "core/last_of.h"
#include "websocket/json/client.h"

namespace trestle::websocket::json {

Service::Service(EndpointContext& context, const Settings& settings)
    : context_(context),
      options_(ClientOptions::from(settings)),
      counters_(context.counters("json")),
      refusals_(context),
      ledger_(context.session_ledger()),
      slow_(&context.host().metrics().counter(
          "trestle_websocket_slow_readers_total",
          "JSON clients disconnected because their queue was full",
          {{"endpoint", context.name()}})),
      shards_(context.host().shard_count()) {
    for (size_t i = 1; i < kCodes; ++i) {
        errors_[i] = &context.host().metrics().counter(
            "trestle_websocket_error_answers_total", "Errors that JSON clients were answered with",
            {{"endpoint", context.name()},
             {"reason", std::string(to_string(static_cast<Code>(i)))}});
    }
}

Service::~Service() = default;

void Service::serve(std::unique_ptr<Connection> connection) {
    auto& mine = shards_[connection->shard().index()];
    const auto client = std::make_shared<Client>(*this, std::move(connection));
    mine.clients.emplace(client.get(), client);
    client->start();
    if (mine.stopping) client->shut_down();
}

void Service::remove(Client& client) {
    auto& mine = shards_[client.shard().index()];
    const auto found = mine.clients.find(&client);
    if (found == mine.clients.end()) return;
    // The last reference goes later: the client is on the stack.
    client.shard().post([owned = std::move(found->second)] {});
    mine.clients.erase(found);
    if (mine.clients.empty() && mine.when_empty) std::exchange(mine.when_empty, nullptr)();
}

void Service::stop(uint64_t deadline_ms, const std::function<void()>& done) {
    const auto one_done = last_of(shards_.size(), done);
    for (size_t i = 0; i < shards_.size(); ++i) {
        Shard& shard = context_.host().shard(i);
        shard.post(
            [this, &shard, deadline_ms, one_done] { stop_on(shard, deadline_ms, one_done); });
    }
}

void Service::cut_short() {
    for (size_t i = 0; i < shards_.size(); ++i) {
        context_.host().shard(i).post([&mine = shards_[i]] { cut_all(mine); });
    }
}

void Service::stop_on(Shard& shard, uint64_t deadline_ms, const std::function<void()>& done) {
    auto& mine = shards_[shard.index()];
    mine.stopping = true;
    if (mine.clients.empty()) return done();
    mine.when_empty = [&shard, done] { shard.post(done); };  // behind the end of the last client
    const auto all = mine.clients;
    for (const auto& [raw, client] : all) client->shut_down();
    mine.deadline = std::make_unique<Timer>(
        shard.timers(), [](void* self) { cut_all(*static_cast<PerShard*>(self)); }, &mine);
    mine.deadline->set(deadline_ms);
}

void Service::cut_all(PerShard& mine) {
    const auto late = mine.clients;
    for (const auto& [raw, client] : late) client->cut("did not close in time");
}

}  // namespace trestle::websocket::json
