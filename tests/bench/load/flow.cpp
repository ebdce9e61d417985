// Message flow from publishers (MQTT or ZeroMQ) to receivers (MQTT or ZeroMQ).
//
// Without --rate the flow is closed-loop: at most --window deliveries are
// outstanding, so no broker queue grows without bound and QoS 0 is not judged by
// whose buffers overflow first. With --rate it is open-loop: message k is due at
// start + k/rate and latency counts from that time, so a stall is not hidden.
#include <sys/prctl.h>

#include <algorithm>
#include <cmath>

#include "scenarios.h"
#include "zmq_io.h"

namespace {

struct Config {
    std::string pattern, prefix, filter;
    unsigned pubs, subs, qos, sub_qos;
    size_t payload;
    uint64_t total, warmup, inflight, window;
    double rate, seconds;
    bool spin, alias;
    uint64_t settle_ms, max_seconds;
};

class Flow {
 public:
    Flow(Args& a);
    int run();

 private:
    struct Publisher {
        std::unique_ptr<Client> client;  // null when the source is ZeroMQ
        std::string topic;
        wire::PublishTemplate first, next;
        uint64_t sent = 0;
        uint64_t unacked = 0;
        uint64_t limit = UINT64_MAX;
    };

    std::string topic_of(unsigned pub) const;
    std::string filter_of(unsigned sub) const;
    void set_up();
    void phase(uint64_t count, double seconds);
    bool publish(unsigned pub, uint64_t stamp);
    void pump_closed(uint64_t count);
    void pump_paced(uint64_t count);
    void received(unsigned receiver, const uint8_t* payload, size_t size);
    void on_publisher(Publisher&, const Packet&);
    void on_subscriber(Client&, const Packet&);
    uint64_t drain_sinks();
    int64_t outstanding() const {
        return int64_t(published_ * per_message_) - int64_t(delivered_) - int64_t(written_off_);
    }

    Config cfg_;
    Loop::Target target_;
    Watched watched_;
    Loop loop_;
    Histogram latency_;
    std::vector<Publisher> pubs_;
    std::vector<std::unique_ptr<Client>> subs_;
    std::vector<std::unique_ptr<ZmqPort>> sinks_;
    std::unique_ptr<ZmqPort> source_;
    std::string source_kind_;
    std::vector<uint32_t> expect_;  // next sequence number by receiver and publisher
    std::vector<uint8_t> body_;     // payload for a ZeroMQ source
    uint64_t per_message_ = 1;
    uint64_t published_ = 0, delivered_ = 0, written_off_ = 0, bytes_ = 0;
    uint64_t repeated_ = 0, gaps_ = 0;
    uint64_t last_progress_ = 0;
    uint64_t paced_from_ = 0;
    unsigned turn_ = 0;
    bool blocked_ = false;
    bool send_full_ = false;
};

Flow::Flow(Args& a) : target_(target_from(a)), watched_(a.str("broker-pid")) {
    std::vector<std::pair<std::string, std::string>> sinks;
    for (const char* kind : {"sub", "pull", "dealer"})
        if (auto addr = a.str(std::string("zmq-") + kind); !addr.empty())
            sinks.emplace_back(kind, addr);
    std::string source_addr;
    for (const char* kind : {"pub", "push"})
        if (auto addr = a.str(std::string("zmq-") + kind); !addr.empty()) {
            source_kind_ = kind;
            source_addr = addr;
        }
    cfg_.pattern = a.str("pattern", "pair");
    cfg_.prefix = a.str("prefix", "bench");
    cfg_.filter = a.str("filter");
    cfg_.pubs = unsigned(a.num("pubs", 1));
    cfg_.subs = unsigned(a.num("subs", sinks.empty() ? 1 : 0));
    cfg_.qos = unsigned(a.num("qos", 0));
    cfg_.sub_qos = unsigned(a.num("sub-qos", cfg_.qos));
    cfg_.payload = a.num("size", 64);
    cfg_.total = a.num("messages", 1'000'000);
    cfg_.seconds = a.real("seconds", 0);
    if (cfg_.seconds > 0) cfg_.total = UINT32_MAX;
    cfg_.warmup = a.num("warmup", cfg_.total / 20);
    cfg_.inflight = a.num("inflight", 100);
    cfg_.window = a.num("window", 10'000);
    cfg_.rate = a.real("rate", 0);
    cfg_.spin = a.flag("spin");
    cfg_.alias = a.flag("topic-alias");
    cfg_.settle_ms = a.num("settle-ms", sinks.empty() && source_kind_.empty() ? 200 : 700);
    cfg_.max_seconds = a.num("max-seconds", 120);
    const std::string hello = a.str("zmq-hello");
    a.reject_unknown();

    if (cfg_.payload < sizeof(wire::Stamp)) die("--size must be at least 16");
    if (cfg_.pattern == "pair" && cfg_.subs > 0 && cfg_.subs != cfg_.pubs)
        die("--pattern pair needs --subs equal to --pubs");
    if (cfg_.alias && !target_.v5) die("--topic-alias needs --v5");
    const bool each = cfg_.pattern == "fanout" || cfg_.pattern == "fanin";
    if (!each && cfg_.pattern != "pair" && cfg_.pattern != "shared") die("unknown --pattern");
    per_message_ = (cfg_.subs == 0 ? 0 : each ? cfg_.subs : 1) + sinks.size();
    if (per_message_ == 0) die("nothing receives");

    for (auto& [kind, addr] : sinks) {
        sinks_.push_back(std::make_unique<ZmqPort>(kind, addr, hello));
        loop_.add_foreign(sinks_.back()->wake_fd());
    }
    if (!source_kind_.empty()) source_ = std::make_unique<ZmqPort>(source_kind_, source_addr, "");
    const size_t cells = size_t(cfg_.subs + sinks.size()) * cfg_.pubs;
    if (cells <= 16'000'000) expect_.assign(cells, 0);
    body_.assign(cfg_.payload, 'x');
}

std::string Flow::topic_of(unsigned p) const {
    if (cfg_.pattern == "pair") return cfg_.prefix + "/pair/" + std::to_string(p) + "/data";
    if (cfg_.pattern == "fanout") return cfg_.prefix + "/fan/data";
    return cfg_.prefix + "/in/" + std::to_string(p) + "/data";
}

std::string Flow::filter_of(unsigned s) const {
    if (!cfg_.filter.empty()) return cfg_.filter;
    if (cfg_.pattern == "pair" || cfg_.pattern == "fanout") return topic_of(s);
    const std::string wild = cfg_.prefix + "/in/+/data";
    return cfg_.pattern == "shared" ? "$share/load/" + wild : wild;
}

void Flow::received(unsigned receiver, const uint8_t* payload, size_t size) {
    if (size < sizeof(wire::Stamp)) return;
    wire::Stamp st;
    std::memcpy(&st, payload, sizeof st);
    ++delivered_;
    bytes_ += size;
    if (cfg_.rate > 0) {
        const uint64_t now = now_ns();
        latency_.add(now > st.sent_ns ? now - st.sent_ns : 0);
    }
    if (!expect_.empty() && st.source < cfg_.pubs) {
        uint32_t& want = expect_[size_t(receiver) * cfg_.pubs + st.source];
        if (st.seq == want) {
            ++want;
        } else if (st.seq > want) {
            if (cfg_.pattern != "shared") ++gaps_;
            want = st.seq + 1;
        } else {
            ++repeated_;
        }
    }
}

void Flow::on_subscriber(Client& c, const Packet& k) {
    if (k.type != wire::PUBLISH) return;
    const unsigned qos = (k.flags >> 1) & 3;
    const uint8_t* p = k.body + 2 + wire::get16(k.body);
    if (qos) {
        wire::put_ack(c.out, qos == 1 ? wire::PUBACK : wire::PUBREC, wire::get16(p));
        p += 2;
    }
    if (target_.v5) {
        uint32_t len;
        const int vl = wire::get_varint(p, k.body + k.size, len);
        p += vl + int(len);
    }
    received(unsigned(c.index), p, size_t(k.body + k.size - p));
}

void Flow::on_publisher(Publisher& p, const Packet& k) {
    if (k.type == wire::PUBACK || k.type == wire::PUBCOMP) {
        if (p.unacked) --p.unacked;
    }
}

void Flow::set_up() {
    std::vector<std::unique_ptr<Client>> connecting;
    for (unsigned i = 0; i < cfg_.subs; ++i) {
        auto c = loop_.open(target_, "load-s" + std::to_string(i), i);
        c->index = int(i);
        c->on_packet = [this](Client& cl, const Packet& k) { on_subscriber(cl, k); };
        subs_.push_back(std::move(c));
    }
    wait_connected(loop_, subs_, 20'000);
    for (unsigned i = 0; i < cfg_.subs; ++i) {
        wire::put_subscribe(subs_[i]->out, target_.v5, 1, {filter_of(i)}, cfg_.sub_qos);
        subs_[i]->flush();
    }
    const bool ok = loop_.run_until(
        [&] {
            return std::all_of(subs_.begin(), subs_.end(), [](auto& c) { return c->subacks > 0; });
        },
        20'000);
    if (!ok) die("not every SUBACK arrived");
    for (auto& c : subs_)
        if (c->suback_failures) die("subscription refused");

    pubs_.resize(cfg_.pubs);
    for (unsigned i = 0; i < cfg_.pubs; ++i) {
        Publisher& p = pubs_[i];
        p.topic = topic_of(i);
        if (source_) continue;
        connecting.push_back(loop_.open(target_, "load-p" + std::to_string(i), cfg_.subs + i));
        connecting.back()->index = int(i);
        connecting.back()->on_packet = [this, i](Client&, const Packet& k) {
            on_publisher(pubs_[i], k);
        };
    }
    wait_connected(loop_, connecting, 20'000);
    for (unsigned i = 0; i < cfg_.pubs && !source_; ++i) {
        Publisher& p = pubs_[i];
        p.client = std::move(connecting[i]);
        const bool alias = cfg_.alias && p.client->server_alias_max > 0;
        p.first =
            wire::PublishTemplate(target_.v5, p.topic, cfg_.qos, cfg_.payload, alias ? 1 : 0, true);
        p.next = alias
                     ? wire::PublishTemplate(target_.v5, p.topic, cfg_.qos, cfg_.payload, 1, false)
                     : p.first;
        if (cfg_.qos)
            p.limit = std::min<uint64_t>({cfg_.inflight, p.client->server_receive_max, 30'000});
    }
    const uint64_t until = now_ns() + cfg_.settle_ms * 1'000'000;
    while (now_ns() < until) {
        loop_.poll(5'000'000);
        drain_sinks();
    }
}

uint64_t Flow::drain_sinks() {
    uint64_t got = 0;
    for (size_t i = 0; i < sinks_.size(); ++i)
        got += sinks_[i]->drain(
            [&](const uint8_t* d, size_t n) { received(cfg_.subs + unsigned(i), d, n); }, 4096);
    return got;
}

// Queues one message; false when this publisher cannot take it now.
bool Flow::publish(unsigned i, uint64_t stamp) {
    Publisher& p = pubs_[i];
    wire::Stamp st{stamp, i, uint32_t(p.sent)};
    if (source_) {
        std::memcpy(body_.data(), &st, sizeof st);
        if (!source_->send(p.topic, body_.data(), body_.size())) {
            send_full_ = true;
            return false;
        }
    } else {
        if (p.client->closed) die("publisher connection lost");
        if (p.unacked >= p.limit) return false;
        const wire::PublishTemplate& t = p.sent ? p.next : p.first;
        wire::Bytes& out = p.client->out;
        const size_t at = out.size();
        out.insert(out.end(), t.bytes.begin(), t.bytes.end());
        if (cfg_.qos) {
            const unsigned id = unsigned(p.sent % 65'535) + 1;
            out[at + t.id_at] = uint8_t(id >> 8);
            out[at + t.id_at + 1] = uint8_t(id);
            ++p.unacked;
        }
        std::memcpy(out.data() + at + t.payload_at, &st, sizeof st);
    }
    ++p.sent;
    ++published_;
    return true;
}

void Flow::pump_closed(uint64_t count) {
    constexpr size_t kBurst = 32 * 1024;
    const int64_t window =
        cfg_.window ? int64_t(std::max<uint64_t>(cfg_.window, per_message_)) : INT64_MAX;
    if (blocked_ && outstanding() > window / 2) return;
    blocked_ = false;
    send_full_ = false;
    for (unsigned n = 0; n < cfg_.pubs && published_ < count; ++n) {
        const unsigned i = turn_++ % cfg_.pubs;
        Client* c = pubs_[i].client.get();
        size_t burst = 0;
        while (published_ < count && burst < kBurst && (!c || c->backlog() < 256 * 1024)) {
            if (outstanding() + int64_t(per_message_) > window) {
                blocked_ = true;
                break;
            }
            if (!publish(i, 0)) break;
            burst += cfg_.payload + 32;
        }
        if (c && burst) c->flush();
        if (blocked_) return;
    }
}

void Flow::pump_paced(uint64_t count) {
    const double gap = 1e9 / cfg_.rate;
    const uint64_t now = now_ns();
    unsigned touched = 0;
    while (published_ < count) {
        const uint64_t due = paced_from_ + uint64_t(double(published_) * gap);
        if (due > now) break;
        if (!publish(unsigned(published_ % cfg_.pubs), due)) break;
        ++touched;
        if (touched >= cfg_.pubs) {
            for (auto& p : pubs_)
                if (p.client && p.client->backlog()) p.client->flush();
            touched = 0;
        }
    }
    if (touched)
        for (auto& p : pubs_)
            if (p.client && p.client->backlog()) p.client->flush();
}

// Sends `count` messages, or as many as `seconds` (when not 0) allow, and waits
// for their deliveries.
void Flow::phase(uint64_t count, double seconds) {
    published_ = delivered_ = written_off_ = bytes_ = 0;
    blocked_ = false;
    const uint64_t start = now_ns();
    paced_from_ = start;
    last_progress_ = start;
    uint64_t seen = 0;
    for (;;) {
        if (cfg_.rate > 0)
            pump_paced(count);
        else
            pump_closed(count);

        int64_t wait = 20'000'000;
        if (cfg_.rate > 0 && published_ < count) {
            const uint64_t due = paced_from_ + uint64_t(double(published_) * 1e9 / cfg_.rate);
            const uint64_t now = now_ns();
            wait = cfg_.spin || due <= now ? 0 : std::min<int64_t>(wait, int64_t(due - now));
        } else if (published_ < count && !blocked_) {
            // Someone could still send: poll without sleeping unless sockets or acks hold us.
            bool held = true;
            for (auto& p : pubs_)
                if (!p.client || (p.unacked < p.limit && p.client->backlog() < 256 * 1024))
                    held = false;
            if (!held) wait = send_full_ ? 200'000 : 0;
        }
        if (!sinks_.empty() && drain_sinks()) wait = 0;
        loop_.poll(wait);

        const uint64_t progress = delivered_ + published_;
        const uint64_t now = now_ns();
        if (seconds > 0 && double(now - start) > seconds * 1e9) count = std::min(count, published_);
        if (progress != seen) {
            seen = progress;
            last_progress_ = now;
        }
        if (published_ >= count) {
            const bool acked =
                std::all_of(pubs_.begin(), pubs_.end(), [](auto& p) { return !p.unacked; });
            if (delivered_ >= count * per_message_ && acked) return;
        }
        const uint64_t idle_ms = (now - last_progress_) / 1'000'000;
        if (idle_ms > 300 && published_ < count && outstanding() > 0 && blocked_) {
            written_off_ += uint64_t(outstanding());  // lost: let the window open again
            last_progress_ = now;
        } else if (idle_ms > 3'000) {
            return;
        }
        if (now - start > cfg_.max_seconds * 1'000'000'000ull) return;
    }
}

int Flow::run() {
    prctl(PR_SET_TIMERSLACK, 1);
    set_up();
    if (cfg_.warmup) {
        phase(cfg_.warmup, cfg_.seconds / 8);
        repeated_ = gaps_ = 0;
        latency_ = Histogram();
    }
    watched_.reset_peak();
    const double broker0 = watched_.cpu_seconds(), self0 = self_cpu_seconds();
    const Machine machine0 = Machine::read();
    const uint64_t t0 = now_ns();
    phase(cfg_.total, cfg_.seconds);
    const double wall = double(now_ns() - t0) / 1e9;
    const Machine machine1 = Machine::read();
    const bool complete =
        delivered_ >= published_ * per_message_ && (cfg_.seconds > 0 || published_ >= cfg_.total);
    const double elapsed = double((complete ? now_ns() : last_progress_) - t0) / 1e9;
    const double broker = watched_.cpu_seconds() - broker0, self = self_cpu_seconds() - self0;

    const uint64_t expected = published_ * per_message_;
    Report r;
    r.add("pattern", cfg_.pattern)
        .add("pubs", uint64_t(cfg_.pubs))
        .add("subs", uint64_t(cfg_.subs));
    r.add("zmq_sinks", uint64_t(sinks_.size()))
        .add("source", source_ ? source_kind_ : std::string("mqtt"));
    r.add("v", std::string(target_.v5 ? "5" : "3.1.1")).add("qos", uint64_t(cfg_.qos));
    r.add("size", uint64_t(cfg_.payload)).add("elapsed_s", elapsed);
    r.add("in_per_s", double(published_) / elapsed).add("out_per_s", double(delivered_) / elapsed);
    r.add("published", published_).add("delivered", delivered_);
    r.add("lost", expected > delivered_ ? expected - delivered_ : uint64_t(0));
    r.add("repeated_or_reordered", repeated_).add("gaps", gaps_);
    if (watched_.any()) {
        r.add("broker_cpu_s", broker)
            .add("broker_cpu_s_per_M", broker / (double(delivered_) / 1e6));
        r.add("peak_rss_mib", double(watched_.memory_kib("VmHWM:")) / 1024);
    }
    r.add("gen_cpu_s", self).add("gen_cpu_s_per_M", self / (double(delivered_) / 1e6));
    if (cfg_.rate > 0) {
        r.add("rate", cfg_.rate).add("mean_us", latency_.mean() / 1e3);
        r.add("p50_us", double(latency_.quantile(0.5)) / 1e3)
            .add("p90_us", double(latency_.quantile(0.9)) / 1e3);
        r.add("p99_us", double(latency_.quantile(0.99)) / 1e3)
            .add("p999_us", double(latency_.quantile(0.999)) / 1e3);
        r.add("max_us", double(latency_.max()) / 1e3);
    }
    if (watched_.any())
        r.add("others_cores", (machine1.busy - machine0.busy - broker - self) / wall);
    r.add("steal_cores", (machine1.stolen - machine0.stolen) / wall);
    r.add("closed", loop_.closed_count);
    r.print();
    return complete ? 0 : 1;
}

}  // namespace

int run_flow(Args& a) { return Flow(a).run(); }
