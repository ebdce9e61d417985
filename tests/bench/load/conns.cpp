// Opens many connections that then stay idle; reports what they cost the broker.
#include "scenarios.h"

int run_conns(Args& a) {
    Loop::Target target = target_from(a);
    target.spread = uint32_t(a.num("spread", 5'000));
    Watched watched(a.str("broker-pid"));
    const uint64_t count = a.num("count", 10'000);
    const uint64_t burst =
        a.num("burst", 64);  // opened at once; above a listen backlog, SYNs are retried
    const bool subscribe = a.flag("subscribe");  // one own topic each
    const uint64_t hold_ms = a.num("hold-ms", 1'000);
    a.reject_unknown();

    Loop loop;
    const uint64_t rss0 = watched.memory_kib("VmRSS:");
    const double cpu0 = watched.cpu_seconds();
    const uint64_t t0 = now_ns();
    std::vector<std::unique_ptr<Client>> clients;
    clients.reserve(count);
    uint64_t up = 0;
    while (clients.size() < count && !loop.closed_count) {
        const size_t from = clients.size();
        for (uint64_t i = 0; i < burst && clients.size() < count; ++i) {
            const auto n = uint32_t(clients.size());
            clients.push_back(loop.open(target, "idle-" + std::to_string(n), n));
            clients.back()->index = int(n);
        }
        const bool ok = loop.run_until(
            [&] {
                for (size_t i = from; i < clients.size(); ++i)
                    if (!clients[i]->connected && !clients[i]->closed) return false;
                return true;
            },
            10'000);
        for (size_t i = from; i < clients.size(); ++i)
            up += clients[i]->connected && !clients[i]->closed;
        if (!ok) break;
    }
    const double connect_s = double(now_ns() - t0) / 1e9;
    if (subscribe) {
        for (auto& c : clients) {
            wire::put_subscribe(c->out, target.v5, 1, {"idle/" + std::to_string(c->index) + "/in"},
                                1);
            c->flush();
        }
        loop.run_until(
            [&] {
                for (auto& c : clients)
                    if (!c->subacks && !c->closed) return false;
                return true;
            },
            20'000);
    }
    loop.run_until([] { return false; }, hold_ms);
    const uint64_t rss1 = watched.memory_kib("VmRSS:");
    const double cpu = watched.cpu_seconds() - cpu0;
    Report r;
    r.add("scenario", std::string("conns"))
        .add("asked", count)
        .add("up", up)
        .add("closed", loop.closed_count);
    r.add("connect_s", connect_s).add("connects_per_s", double(up) / connect_s);
    if (watched.any()) {
        r.add("rss_before_mib", double(rss0) / 1024).add("rss_after_mib", double(rss1) / 1024);
        r.add("rss_bytes_per_conn", double(rss1 - rss0) * 1024 / double(up ? up : 1));
        r.add("broker_cpu_s", cpu)
            .add("broker_cpu_us_per_connect", cpu * 1e6 / double(up ? up : 1));
    }
    r.print();
    return up == count ? 0 : 1;
}
