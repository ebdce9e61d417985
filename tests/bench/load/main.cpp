#include <csignal>

#include "scenarios.h"

Loop::Target target_from(Args& a) {
    Loop::Target t;
    t.host = a.str("host", "127.0.0.1");
    t.port = uint16_t(a.num("port", 1883));
    t.v5 = a.flag("v5");
    t.keepalive = unsigned(a.num("keepalive", 0));
    return t;
}

void wait_connected(Loop& loop, const std::vector<std::unique_ptr<Client>>& clients,
                    uint64_t timeout_ms) {
    const bool ok = loop.run_until(
        [&] {
            for (auto& c : clients)
                if (!c->connected || c->closed) return loop.closed_count > 0;
            return true;
        },
        timeout_ms);
    if (!ok || loop.closed_count) die("could not connect every client");
}

static const char* kUsage = R"(mqttload - load generator for MQTT brokers and MQTT/ZeroMQ gateways

  mqttload flow  [flags]   throughput; with --rate, latency
  mqttload conns [flags]   idle connections
  mqttload subs  [flags]   many subscriptions
  mqttload taken [flags]   messages that nobody wants

common   --host 127.0.0.1 --port 1883 --v5 --keepalive 0
         --broker-pid PID[,PID...]   report CPU and memory of these processes
flow     --pattern pair|fanout|fanin|shared  --pubs 1 --subs 1 --qos 0 --sub-qos QOS
         --size 64 --messages 1M --warmup (messages/20)
         --seconds S      publish for S seconds instead of a fixed count
         --inflight 100   unacknowledged messages per publisher (QoS 1, 2)
         --window 10000   undelivered messages in all (0: no limit)
         --rate R         fixed total rate, latency percentiles; --spin to busy-wait
         --topic-alias (v5)  --prefix bench  --filter FILTER
         --settle-ms, --max-seconds 120
         --zmq-sub|--zmq-pull|--zmq-dealer ADDR   receive from a gateway (and --zmq-hello TEXT)
         --zmq-pub|--zmq-push ADDR                send to a gateway instead of MQTT publishers
         ADDR: tcp://..., connects; @tcp://..., binds
conns    --count 10000 --burst 64 --subscribe --hold-ms 1000 --spread 5000
subs     --count 100000 --conns 100 --per-packet 50 --messages 500k | --seconds S
         --window 5000 --size 64
taken    --seconds 1 --window 10000 --size 64

Each run prints one line: RESULT {json}. Exit status 1: something was lost.
)";

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    rlimit lim;
    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim);
    const std::string cmd = argc > 1 ? argv[1] : "";
    if (cmd != "flow" && cmd != "conns" && cmd != "subs" && cmd != "taken") {
        std::fputs(kUsage, stderr);
        return 2;
    }
    Args a(argc, argv, 2);
    if (cmd == "flow") return run_flow(a);
    if (cmd == "conns") return run_conns(a);
    if (cmd == "taken") return run_taken(a);
    return run_subs(a);
}
