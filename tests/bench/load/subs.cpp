// Many subscriptions, a mix of exact and wildcard filters, then messages that
// each match exactly one of them.
#include <algorithm>

#include "scenarios.h"

namespace {

// Of every 20 subscriptions: 10 exact, 5 with '+' last, 4 with '+' in the middle, 1 with '#'.
std::string filter_for(uint64_t i) {
    const std::string group = "g" + std::to_string(i % 1000), device = "d" + std::to_string(i);
    const uint64_t kind = i % 20;
    if (kind < 10) return "scale/" + group + "/" + device + "/temp";
    if (kind < 15) return "scale/" + group + "/" + device + "/+";
    if (kind < 19) return "scale/+/" + device + "/temp";
    return "scale/" + group + "/" + device + "/#";
}

std::string topic_for(uint64_t i) {
    return "scale/g" + std::to_string(i % 1000) + "/d" + std::to_string(i) + "/temp";
}

}  // namespace

int run_subs(Args& a) {
    Loop::Target target = target_from(a);
    Watched watched(a.str("broker-pid"));
    const uint64_t count = a.num("count", 100'000);
    const uint64_t conns = a.num("conns", 100);
    const uint64_t per_packet = a.num("per-packet", 50);
    const double seconds = a.real("seconds", 0);
    uint64_t messages = seconds > 0 ? UINT64_MAX : a.num("messages", 500'000);
    const uint64_t window = a.num("window", 5'000);
    const size_t payload = a.num("size", 64);
    a.reject_unknown();

    Loop loop;
    uint64_t delivered = 0;
    std::vector<std::unique_ptr<Client>> subs;
    for (uint64_t i = 0; i < conns; ++i) {
        subs.push_back(loop.open(target, "scale-s" + std::to_string(i), uint32_t(i)));
        subs.back()->index = int(i);
        subs.back()->on_packet = [&](Client&, const Packet& k) {
            delivered += k.type == wire::PUBLISH;
        };
    }
    wait_connected(loop, subs, 20'000);

    const uint64_t rss0 = watched.memory_kib("VmRSS:");
    double cpu0 = watched.cpu_seconds();
    uint64_t t0 = now_ns();
    std::vector<std::vector<std::string>> batch(conns);
    std::vector<unsigned> next_id(conns, 1);
    auto push = [&](uint64_t c) {
        if (batch[c].empty()) return;
        wire::put_subscribe(subs[c]->out, target.v5, next_id[c]++, batch[c], 0);
        batch[c].clear();
        subs[c]->flush();
    };
    auto acked = [&] {
        uint64_t n = 0;
        for (auto& c : subs) n += c->subacks;
        return n;
    };
    for (uint64_t i = 0; i < count; ++i) {
        const uint64_t c = i % conns;
        batch[c].push_back(filter_for(i));
        if (batch[c].size() >= per_packet) {
            push(c);
            if (c == conns - 1) loop.poll(0);
        }
    }
    for (uint64_t c = 0; c < conns; ++c) push(c);
    const bool all = loop.run_until([&] { return acked() >= count || loop.closed_count; }, 60'000);
    const double sub_s = double(now_ns() - t0) / 1e9;
    const double sub_cpu = watched.cpu_seconds() - cpu0;
    uint64_t refused = 0;
    for (auto& c : subs) refused += c->suback_failures;
    loop.run_until([] { return false; }, 300);
    const uint64_t rss1 = watched.memory_kib("VmRSS:");

    std::vector<std::unique_ptr<Client>> pub;
    pub.push_back(loop.open(target, "scale-p", 0));
    wait_connected(loop, pub, 10'000);
    std::vector<wire::Bytes> packets;
    const uint64_t stride = 7919, distinct = std::min<uint64_t>(count, 20'000);
    for (uint64_t i = 0; i < distinct; ++i)
        packets.push_back(
            wire::PublishTemplate(target.v5, topic_for(i * stride % count), 0, payload).bytes);

    watched.reset_peak();
    cpu0 = watched.cpu_seconds();
    const double self0 = self_cpu_seconds();
    t0 = now_ns();
    uint64_t sent = 0, seen = 0, last = t0;
    bool blocked = false;
    while (delivered < messages) {
        if (!blocked || sent - delivered <= window / 2) {
            blocked = false;
            wire::Bytes& out = pub[0]->out;
            for (int n = 0; n < 300 && sent < messages && pub[0]->backlog() < 256 * 1024; ++n) {
                if (sent - delivered >= window) {
                    blocked = true;
                    break;
                }
                auto& p = packets[sent % distinct];
                out.insert(out.end(), p.begin(), p.end());
                ++sent;
            }
            pub[0]->flush();
        }
        loop.poll(blocked || sent == messages ? 20'000'000 : 0);
        const uint64_t now = now_ns();
        if (seconds > 0 && double(now - t0) > seconds * 1e9) messages = std::min(messages, sent);
        if (delivered + sent != seen) {
            seen = delivered + sent;
            last = now;
        } else if (now - last > 3'000'000'000ull) {
            break;
        }
    }
    const double pub_s = double((delivered >= messages ? now_ns() : last) - t0) / 1e9;
    const double pub_cpu = watched.cpu_seconds() - cpu0, self = self_cpu_seconds() - self0;
    Report r;
    r.add("scenario", std::string("subs"))
        .add("count", count)
        .add("acked", acked())
        .add("refused", refused);
    r.add("subscribe_s", sub_s).add("subs_per_s", double(count) / sub_s);
    if (watched.any()) {
        r.add("sub_cpu_us_each", sub_cpu * 1e6 / double(count));
        r.add("rss_bytes_per_sub", double(int64_t(rss1 - rss0)) * 1024 / double(count));
        r.add("rss_after_mib", double(rss1) / 1024);
    }
    r.add("in_per_s", double(sent) / pub_s).add("out_per_s", double(delivered) / pub_s);
    r.add("delivered", delivered).add("lost", sent > delivered ? sent - delivered : uint64_t(0));
    if (watched.any()) r.add("broker_cpu_s_per_M", pub_cpu / (double(delivered) / 1e6));
    r.add("gen_cpu_s_per_M", self / (double(delivered) / 1e6));
    r.print();
    return all && delivered >= messages ? 0 : 1;
}
