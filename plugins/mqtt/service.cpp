#include "mqtt/service.h"

#include "core/last_of.h"
#include "mqtt/connection.h"

namespace trestle::mqtt {

namespace {

Gauge& lasting_sessions(EndpointContext& context) {
    return context.host().metrics().gauge(
        "trestle_mqtt_lasting_sessions",
        "Sessions that outlive their connections, those of connected clients included",
        {{"endpoint", context.name()}});
}

}  // namespace

Service::Service(EndpointContext& context, const Settings& settings)
    : context_(context),
      options_(ClientOptions::from(settings)),
      counters_(context.counters("mqtt")),
      packets_(context),
      refusals_(context),
      ledger_(context.session_ledger()),
      session_quota_(options_.max_sessions, &lasting_sessions(context)),
      log_limit_(20, std::chrono::seconds(10)),
      shards_(context.host().shard_count()) {}

Service::~Service() = default;

void Service::serve(std::unique_ptr<ByteStream> stream) {
    open_.fetch_add(1, std::memory_order_relaxed);
    packets_.streams->add(stream->shard().index());
    add(std::move(stream));
}

void Service::add(std::unique_ptr<ByteStream> stream, std::optional<PeerInfo> behind) {
    auto& mine = shards_[stream->shard().index()];
    auto connection = std::make_unique<Connection>(*this, std::move(stream), std::move(behind));
    auto& added = *connection;
    mine.connections.emplace(&added, std::move(connection));
    added.start();
    if (mine.stopping) added.shut_down();
}

void Service::move(Connection& connection, Shard& target, std::string_view unread) {
    auto stream = connection.give_up_stream();
    auto& raw = *stream;
    auto& mine = shards_[raw.shard().index()];
    // Kept until the stream has let go of it.
    const auto kept = std::move(mine.connections.find(&connection)->second);
    mine.connections.erase(&connection);
    raw.move_to(std::move(stream), target, unread,
                [this, peer = kept->peer()](std::unique_ptr<ByteStream> arrived) {
                    if (arrived) {
                        add(std::move(arrived), peer);
                    } else {
                        open_.fetch_sub(1, std::memory_order_relaxed);
                    }
                });
    if (mine.connections.empty() && mine.when_empty) mine.when_empty();
}

void Service::remove(Connection& connection) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    auto& mine = shards_[connection.shard().index()];
    const auto found = mine.connections.find(&connection);
    const auto owned = std::move(found->second);
    mine.connections.erase(found);
    if (mine.connections.empty() && mine.when_empty) mine.when_empty();
}

void Service::stop(uint64_t deadline_ms, std::function<void()> done) {
    const auto one_done = last_of(shards_.size(), std::move(done));
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
    if (mine.connections.empty()) return done();
    const auto once = std::make_shared<bool>(false);
    // Posted: the last connection is still on the stack when it reports.
    mine.when_empty = [&shard, done, once] {
        if (!std::exchange(*once, true)) shard.post(done);
    };
    std::vector<Connection*> all;
    all.reserve(mine.connections.size());
    for (auto& [connection, owned] : mine.connections) all.push_back(connection);
    for (auto* connection : all) connection->shut_down();
    mine.deadline = std::make_unique<Timer>(
        shard.timers(), [](void* self) { cut_all(*static_cast<PerShard*>(self)); }, &mine);
    mine.deadline->set(deadline_ms);
}

void Service::cut_all(PerShard& mine) {
    std::vector<Connection*> late;
    late.reserve(mine.connections.size());
    for (auto& [connection, owned] : mine.connections) late.push_back(connection);
    for (auto* connection : late) connection->cut("did not close in time");
}

}  // namespace trestle::mqtt
