// Messages that nobody wants: what taking them alone costs. A PINGREQ after every so many, whose
// answer says that those before it have been taken.
#include <algorithm>

#include "scenarios.h"

namespace {

constexpr uint64_t kPerPing = 100;

}  // namespace

int run_taken(Args& a) {
    const Loop::Target target = target_from(a);
    Watched watched(a.str("broker-pid"));
    const double seconds = a.real("seconds", 1);
    const uint64_t window = a.num("window", 10'000);
    const size_t payload = a.num("size", 64);
    a.reject_unknown();

    Loop loop;
    std::vector<std::unique_ptr<Client>> clients;
    clients.push_back(loop.open(target, "taken"));
    uint64_t taken = 0;
    clients[0]->on_packet = [&](Client&, const Packet& k) {
        if (k.type == wire::PINGRESP) taken += kPerPing;
    };
    wait_connected(loop, clients, 20'000);
    Client& client = *clients[0];
    const wire::Bytes one = wire::PublishTemplate(target.v5, "bench/pair/0/data", 0, payload).bytes;
    wire::Bytes burst;
    for (uint64_t i = 0; i < kPerPing; ++i) burst.insert(burst.end(), one.begin(), one.end());
    burst.insert(burst.end(), {uint8_t(wire::PINGREQ << 4), 0});

    uint64_t sent = 0;
    const auto run = [&](double for_seconds) {
        const uint64_t end = now_ns() + uint64_t(for_seconds * 1e9);
        while (now_ns() < end || taken < sent) {
            if (client.closed) die("connection lost");
            while (now_ns() < end && sent - taken < window && client.backlog() < 256 * 1024) {
                client.out.insert(client.out.end(), burst.begin(), burst.end());
                sent += kPerPing;
            }
            client.flush();
            loop.poll(20'000'000);
        }
    };
    run(seconds / 8);
    sent = taken = 0;
    const double cpu0 = watched.cpu_seconds(), self0 = self_cpu_seconds();
    const Machine machine0 = Machine::read();
    const uint64_t t0 = now_ns();
    run(seconds);
    const double elapsed = double(now_ns() - t0) / 1e9;
    const Machine machine1 = Machine::read();
    const double cpu = watched.cpu_seconds() - cpu0, self = self_cpu_seconds() - self0;
    Report r;
    r.add("scenario", std::string("taken")).add("elapsed_s", elapsed);
    r.add("in_per_s", double(taken) / elapsed).add("out_per_s", double(taken) / elapsed);
    r.add("delivered", taken).add("lost", sent - taken);
    r.add("gen_cpu_s", self);
    if (watched.any()) {
        r.add("broker_cpu_s", cpu).add("broker_cpu_s_per_M", cpu / (double(taken) / 1e6));
        r.add("others_cores", (machine1.busy - machine0.busy - cpu - self) / elapsed);
    }
    r.add("steal_cores", (machine1.stolen - machine0.stolen) / elapsed);
    r.print();
    return 0;
}
