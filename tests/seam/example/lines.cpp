// An example of a plugin: lines of text over TCP.
//
//   SUB <filter>            the client gets each message that matches, as a line `<topic>
//   <payload>` PUB <topic> <payload>   publishes it at QoS 0
//
// Each command is answered with `+ok` or `+error <why>`; no topic begins with a '+'. A client can
// fall behind by `kBacklog` bytes; then messages for it are dropped and counted. Everything here
// lives on the endpoint's home shard; another endpoint's messages come there by themselves.
#include <map>
#include <set>

#include "core/topic.h"
#include "plugin_api/net.h"
#include "plugin_api/plugin.h"

namespace {

using namespace trestle;

constexpr size_t kLongestLine = 64 * 1024;
constexpr size_t kBacklog = 256 * 1024;
constexpr size_t kMostFilters = 100;

class LineEndpoint;

/// One client: reads its lines, and is the subscriber that the hub delivers to.
class LineClient final : public ByteStreamHandler, public Subscriber {
 public:
    LineClient(LineEndpoint& endpoint, std::unique_ptr<ByteStream> stream);
    ~LineClient() override;
    void start() { stream_->start(*this); }
    ByteStream& stream() { return *stream_; }

    size_t on_bytes(std::string_view bytes) override;
    void on_closed(std::string_view why) override;
    void deliver(Delivery& delivery, const SubscriptionMatch& match) override;

 private:
    std::string command(std::string_view line);
    std::string subscribe(std::string_view filter);
    std::string publish(std::string_view topic, std::string_view payload);
    HubShard& hub() { return stream_->shard().hub(); }

    LineEndpoint& endpoint_;
    std::unique_ptr<ByteStream> stream_;
    Publisher publisher_;
    std::set<std::string, std::less<>> filters_;
};

class LineEndpoint final : public Endpoint {
 public:
    LineEndpoint(EndpointContext& context, const Settings& settings)
        : context(context),
          counters(context.counters("lines")),
          ledger(context.session_ledger()),
          addresses_(settings.list("listen")),
          deadline_(
              context.home().timers(), [](void* self) { static_cast<LineEndpoint*>(self)->cut(); },
              this) {}

    void start() override {
        for (const auto& address : addresses_) {
            listeners_.push_back(listen(context.home(), *parse_uri(address).uri,
                                        [this](Accepted accepted) { add(std::move(accepted)); }));
            context.log().info("listening on {}", address);
        }
    }
    void stop_listening() override { listeners_.clear(); }
    void stop(uint64_t deadline_ms, std::function<void()> done) override {
        if (clients_.empty()) return done();
        done_ = std::move(done);
        deadline_.set(deadline_ms);
        for (auto& [client, owned] : clients_) client->stream().close();
    }
    void remove(LineClient& client) {
        counters.connections->add(context.home().index(), -1);
        clients_.erase(&client);
        if (clients_.empty() && done_) std::exchange(done_, nullptr)();
    }

    EndpointContext& context;
    EndpointCounters counters;
    SessionLedger ledger;

 private:
    void add(Accepted accepted) {
        auto stream = make_socket_stream(context.home(), std::move(accepted));
        auto client = std::make_unique<LineClient>(*this, std::move(stream));
        auto& added = *client;
        clients_.emplace(&added, std::move(client));
        counters.connections->add(context.home().index(), 1);
        added.start();
    }
    void cut() {
        for (auto& [client, owned] : clients_) client->stream().abort("did not close in time");
    }
    std::vector<std::string> addresses_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::map<LineClient*, std::unique_ptr<LineClient>> clients_;
    std::function<void()> done_;
    Timer deadline_;
};

LineClient::LineClient(LineEndpoint& endpoint, std::unique_ptr<ByteStream> stream)
    : endpoint_(endpoint), stream_(std::move(stream)) {
    publisher_.endpoint = endpoint_.context.id();
    publisher_.self = this;
    publisher_.client_id = stream_->peer().address;
    stream_->set_high_water(kBacklog);
}

LineClient::~LineClient() {
    for (const auto& filter : filters_) hub().unsubscribe(*this, filter);
}

size_t LineClient::on_bytes(std::string_view bytes) {
    size_t used = 0;
    for (size_t end; (end = bytes.find('\n', used)) != bytes.npos; used = end + 1) {
        std::string_view line = bytes.substr(used, end - used);
        if (line.ends_with('\r')) line.remove_suffix(1);
        stream_->output().append(command(line));
    }
    endpoint_.counters.bytes_received->add(hub().index(), used);
    if (bytes.size() - used <= kLongestLine) return used;
    endpoint_.counters.protocol_errors->add(hub().index());
    stream_->output().append("+error the line is too long\n");
    stream_->close();
    return bytes.size();
}

void LineClient::on_closed(std::string_view) { endpoint_.remove(*this); }

std::string LineClient::command(std::string_view line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view verb = line.substr(0, space);
    const std::string_view rest = line.substr(std::min(space + 1, line.size()));
    std::string fault = "unknown command";
    if (verb == "SUB") fault = subscribe(rest);
    if (verb == "PUB") {
        const size_t end = std::min(rest.find(' '), rest.size());
        fault = publish(rest.substr(0, end), rest.substr(std::min(end + 1, rest.size())));
    }
    return fault.empty() ? "+ok\n" : "+error " + fault + "\n";
}

std::string LineClient::subscribe(std::string_view filter) {
    if (!is_valid_topic_filter(filter)) return "that is no topic filter";
    if (filters_.size() >= kMostFilters) return "too many subscriptions";
    filters_.emplace(filter);
    hub().subscribe(*this, filter, SubscribeOptions{});
    return {};
}

std::string LineClient::publish(std::string_view topic, std::string_view payload) {
    if (!is_valid_topic_name(topic)) return "that is no topic";
    endpoint_.counters.messages_received[0]->add(hub().index());
    MessageView message;
    message.topic = topic;
    message.payload = payload;
    message.origin = publisher_.endpoint;
    if (hub().publish(message, publisher_).outcome == Outcome::no_subscriber) {
        endpoint_.counters.drop(hub().index(), DropReason::no_subscriber);
    }
    return {};
}

void LineClient::deliver(Delivery& delivery, const SubscriptionMatch&) {
    const MessageView& message = delivery.message();
    const SessionLedger& ledger = endpoint_.ledger;
    ledger.matched->add(hub().index());
    if (stream_->congested()) return ledger.drop(hub().index(), DropReason::queue_full);
    if (message.payload.find('\n') != message.payload.npos) {
        return ledger.drop(hub().index(), DropReason::bad_frames);  // would be two lines
    }
    OutBuffer& out = stream_->output();
    out.append(message.topic);
    out.append(" ");
    out.append(message.payload);
    out.append("\n");
    ledger.sent->add(hub().index());
    endpoint_.counters.messages_sent[0]->add(hub().index());
    endpoint_.counters.bytes_sent->add(hub().index(), message.size() + 2);
}

void check(const Settings& settings, FaultSink& faults) {
    const auto& addresses = settings.list("listen");
    for (size_t i = 0; i < addresses.size(); ++i) {
        const auto parsed = parse_uri(addresses[i]);
        if (parsed.uri && parsed.uri->scheme == "lines") continue;
        faults.fault("listen[" + std::to_string(i) + "]",
                     "found \"" + addresses[i] + "\", expected lines://HOST:PORT");
    }
}

class LinePlugin final : public Plugin {
 public:
    std::unique_ptr<Endpoint> make_endpoint(EndpointContext& context,
                                            const Settings& settings) override {
        return std::make_unique<LineEndpoint>(context, settings);
    }
};

}  // namespace

extern "C" const trestle::PluginDescriptor* trestle_plugin_lines() {
    static const PluginDescriptor descriptor{
        .api_version = kPluginApiVersion,
        .build_stamp = TRESTLE_BUILD_STAMP,
        .name = "lines",
        .summary = "Lines of text over TCP",
        .options =
            [] {
                return std::vector<Option>{Option::string_list("listen", "Where to listen")
                                               .required()
                                               .between(1, 16)
                                               .shown_as("lines://127.0.0.1:7000")};
            },
        .protocols = [] { return std::vector<std::string>(); },
        .protocol_options = [](std::string_view) { return std::vector<Option>(); },
        .check = check,
        .kind = [](const Settings&) { return EndpointKind(); },
        .create = [](Host&) -> std::unique_ptr<Plugin> { return std::make_unique<LinePlugin>(); }};
    return &descriptor;
}
