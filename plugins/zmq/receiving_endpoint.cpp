#include "zmq/receiving_endpoint.h"

#include <algorithm>
#include <utility>

namespace trestle::zmq {

namespace {

// Frames read in one go; then others get their turn.
constexpr size_t kBatch = 512;
// Publishes that may wait for full routes before reading stops, and the number where it goes on.
constexpr size_t kMostOpen = 1000;
constexpr size_t kFewOpen = 500;
// libzmq 4.3.4 garbles subscriptions of 246 to 255 bytes.
constexpr size_t kLongestGoodPrefix = 245;
constexpr size_t kShortestGoodLongPrefix = 256;

std::string sendable(std::string prefix) {
    if (prefix.size() > kLongestGoodPrefix && prefix.size() < kShortestGoodLongPrefix) {
        prefix.resize(kLongestGoodPrefix);
    }
    return prefix;
}

}  // namespace

/// Hears of publishes that were not settled at once; goes before the endpoint does.
class ReceivingEndpoint::Settled final : public AckReceiver {
 public:
    explicit Settled(ReceivingEndpoint& endpoint) : endpoint_(endpoint) {}
    void on_settled(uint64_t /*token*/, Outcome /*outcome*/) override { endpoint_.on_settled(); }

 private:
    ReceivingEndpoint& endpoint_;
};

ReceivingEndpoint::ReceivingEndpoint(EndpointContext& context, Context& zmq,
                                     EndpointOptions options)
    : ZmqEndpoint(context, zmq, std::move(options)), settled_(std::make_shared<Settled>(*this)) {
    publisher_.endpoint = context.id();
    waiter_ = settled_;
}

ReceivingEndpoint::~ReceivingEndpoint() = default;

void ReceivingEndpoint::start() {
    open(options_.socket == SocketKind::pull ? ZMQ_PULL : ZMQ_SUB);
    subscribe();
}

void ReceivingEndpoint::set_routes(const std::vector<RoutePtr>& routes, uint64_t /*drain_ms*/) {
    keys_.set_routes(routes, context_.id());
    publisher_.last_match.reset();
    subscribe();
}

void ReceivingEndpoint::subscribe() {
    if (options_.socket != SocketKind::sub || !socket_.is_open()) return;
    std::vector<std::string> wanted;
    if (options_.frames.format == Format::payload) {
        wanted.emplace_back();  // there is no key to choose by
    } else if (options_.has_subscribe) {
        wanted = options_.subscribe;
    } else {
        for (const auto& route : keys_.routes()) {
            std::string& prefix = wanted.emplace_back(route->mapping().zmq_prefix());
            // Without captures it is the whole key.
            const bool is_whole = !route->mapping().has_captures();
            if (is_whole && options_.frames.has_terminator) prefix.push_back('\0');
        }
    }
    has_shortened_ = false;
    for (auto& prefix : wanted) {
        std::string shorter = sendable(prefix);
        has_shortened_ |= shorter.size() != prefix.size();
        prefix = std::move(shorter);
    }
    std::ranges::sort(wanted);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    for (const auto& prefix : wanted) {
        if (!std::ranges::binary_search(subscribed_, prefix)) {
            socket_.set(ZMQ_SUBSCRIBE, std::string_view(prefix));
        }
    }
    for (const auto& prefix : subscribed_) {
        if (!std::ranges::binary_search(wanted, prefix)) {
            socket_.set(ZMQ_UNSUBSCRIBE, std::string_view(prefix));
        }
    }
    subscribed_ = std::move(wanted);
}

// Only keys that came because a prefix was shortened are not.
bool ReceivingEndpoint::is_asked_for(std::string_view key) const {
    return !has_shortened_ || !options_.has_subscribe ||
           std::ranges::any_of(options_.subscribe,
                               [&](const auto& prefix) { return key.starts_with(prefix); });
}

void ReceivingEndpoint::on_ready() {
    if (is_paused_ || is_stopped_ || !socket_.is_open()) return;
    size_t budget = kBatch;
    while (budget > 0) {
        switch (reader_.read(socket_, budget)) {
            case MessageReader::Result::nothing:
                if ((socket_.events() & ZMQ_POLLIN) == 0) return;
                break;
            case MessageReader::Result::message:
                take_message();
                break;
            case MessageReader::Result::unfinished:
                break;
        }
        if (open_publishes_ >= kMostOpen) {
            is_paused_ = true;
            return;
        }
        if (context_.home().congested()) {
            is_paused_ = true;
            context_.home().when_clear([this, alive = std::weak_ptr<AckReceiver>(settled_)] {
                if (alive.expired()) return;
                is_paused_ = false;
                read_on_later();
            });
            return;
        }
    }
    read_on_later();
}

void ReceivingEndpoint::read_on_later() {
    if (std::exchange(is_posted_, true)) return;
    post_home([this] {
        is_posted_ = false;
        on_ready();
    });
}

void ReceivingEndpoint::on_settled() {
    --open_publishes_;
    if (!is_paused_ || open_publishes_ > kFewOpen) return;
    is_paused_ = false;
    read_on_later();
}

void ReceivingEndpoint::drop(DropReason reason) {
    counters_.messages_received[0]->add(home_index());
    counters_.drop(home_index(), reason);
}

bool ReceivingEndpoint::read_frames(IncomingFrames& in, IncomingMeta& meta) {
    if (reader_.size() > options_.max_message_size) {
        drop(DropReason::too_large);
        return false;
    }
    const auto split = split_frames(options_.frames, reader_.frames());
    if (!split) {
        drop(DropReason::bad_frames);
        return false;
    }
    in = *split;
    if (options_.frames.format != Format::full) return true;
    auto read = read_meta(in.meta);
    if (!read) {
        drop(DropReason::bad_frames);
        return false;
    }
    meta = std::move(*read);
    return true;
}

KeyTable::Found ReceivingEndpoint::topic_of(const IncomingFrames& in) {
    if (options_.frames.format == Format::payload) return keys_.fixed();
    if (!is_asked_for(in.key)) return {};
    return keys_.find(in.key);
}

void ReceivingEndpoint::take_message() {
    counters_.bytes_received->add(home_index(), reader_.size());
    IncomingFrames in;
    IncomingMeta meta;
    if (!read_frames(in, meta)) return;
    const KeyTable::Found found = topic_of(in);
    if (found.route == nullptr) {
        const bool is_usable = options_.frames.format == Format::payload || is_usable_key(in.key);
        drop(is_usable ? DropReason::no_route : DropReason::bad_key);
        return;
    }
    publish(found, in, meta);
}

void ReceivingEndpoint::publish(const KeyTable::Found& found, const IncomingFrames& in,
                                const IncomingMeta& meta) {
    Shard& home = context_.home();
    const RouteOptions& options = found.route->options();
    MessageView message;
    message.topic = found.topic;
    message.payload = in.payload;
    message.properties = meta.properties;
    message.origin = context_.id();
    message.qos = meta.qos.value_or(options.qos_in);
    message.retain = meta.retain.value_or(options.retain);
    if (meta.expiry_s) message.expires_at_ms = home.now_ms() + *meta.expiry_s * uint64_t{1000};
    counters_.messages_received[static_cast<size_t>(message.qos)]->add(home.index());
    found.route->ledger().received->add(home.index());
    const bool can_wait = message.qos != Qos::at_most_once;
    const PublishResult result =
        home.hub().publish(message, publisher_, can_wait ? &waiter_ : nullptr);
    if (result.pending) ++open_publishes_;
    if (result.outcome == Outcome::no_subscriber) {
        counters_.drop(home.index(), DropReason::no_subscriber);
    }
}

void ReceivingEndpoint::stop(uint64_t deadline_ms, std::function<void()> done) {
    is_stopped_ = true;
    close(deadline_ms, std::move(done));
}

}  // namespace trestle::zmq
