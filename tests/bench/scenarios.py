"""The work of the benchmark: what is driven, how, and which figures of it count."""

from dataclasses import dataclass

# The payload of a PUBLISH, the last frame of a ZeroMQ message.
SMALL, LARGE = 64, 1024


@dataclass(frozen=True)
class Scenario:
    name: str
    command: str          # of mqttload: flow, conns, subs, taken
    flags: tuple          # of mqttload
    bridge: str = ""      # pub, push or pull: needs a way between MQTT and ZeroMQ
    timed: bool = True    # runs for --seconds
    warmup: int = 20_000  # messages published before the clock starts (flow only)
    rounds: int = 0       # 0: as many as asked for
    quick: bool = False   # part of --quick
    goal: float = 0       # the least ratio of mosquitto's CPU per message to Trestle's
    floor: str = ""       # the floor that it can be held against

    def arguments(self, seconds, window=None):
        out = [self.command, *map(str, self.flags)]
        if self.timed:
            out += ["--seconds", f"{seconds:g}"]
        if self.command == "flow":
            out += ["--warmup", str(self.warmup)]
            if window is not None:
                out += ["--window", str(window)]
        return out


def flow(name, *flags, size=SMALL, **more):
    return Scenario(name, "flow", (*flags, "--size", size), **more)


def pairs(count, qos):
    return ("--pubs", count, "--subs", count, "--qos", qos)


def fan_out(count, qos):
    return ("--pattern", "fanout", "--subs", count, "--qos", qos)


def fan_in(count, qos):
    return ("--pattern", "fanin", "--pubs", count, "--subs", 1, "--qos", qos)


PAIR, PAIR_1K = "relay, pair, 64 B", "relay, pair, 1 KiB"
OUT_100, OUT_1000 = "relay, fan-out 1 to 100, 64 B", "relay, fan-out 1 to 1000, 64 B"
IN_100 = "relay, fan-in 100 to 1, 64 B"
ZMQ_PUB, ZMQ_PUSH = "bare zmq PUB to SUB, 64 B", "bare zmq PUSH to PULL, 64 B"

# What MQTT to PUB is made of: taking the message, and libzmq's send.
TAKEN, TO_PUB = "MQTT to nobody, QoS 0, 64 B", "MQTT to ZeroMQ PUB, QoS 0, 64 B"

SCENARIOS = [
    flow("pair, QoS 0, 64 B", *pairs(1, 0), quick=True, goal=80, floor=PAIR),
    flow("pair, QoS 1, 64 B", *pairs(1, 1), quick=True, goal=36, floor=PAIR),
    flow("pair, QoS 2, 64 B", *pairs(1, 2), goal=36, floor=PAIR),
    flow("10 pairs, QoS 0, 64 B", *pairs(10, 0), goal=70, floor=PAIR),
    flow("10 pairs, QoS 1, 64 B", *pairs(10, 1), goal=34, floor=PAIR),
    flow("fan-out 1 to 100, QoS 0, 64 B", *fan_out(100, 0), warmup=500, quick=True,
         goal=60, floor=OUT_100),
    # A window of ten messages is a system call for every five deliveries, for a bare relay as well:
    # no program reaches its goal there, and it counts for the row with a window of 100 for each.
    flow("fan-out 1 to 1000, QoS 0, 64 B", *fan_out(1000, 0), warmup=50, floor=OUT_1000),
    flow("fan-out 1 to 100, QoS 1, 64 B", *fan_out(100, 1), warmup=500, goal=40, floor=OUT_100),
    flow("fan-in 100 to 1, QoS 0, 64 B", *fan_in(100, 0), quick=True, goal=60, floor=IN_100),
    flow("fan-in 100 to 1, QoS 1, 64 B", *fan_in(100, 1), goal=28, floor=IN_100),
    flow("pair, QoS 0, 1 KiB", *pairs(1, 0), size=LARGE, goal=30, floor=PAIR_1K),
    flow("pair, QoS 1, 1 KiB", *pairs(1, 1), size=LARGE, goal=28, floor=PAIR_1K),
    Scenario("100,000 subscriptions, 64 B", "subs", ("--count", 100_000, "--size", SMALL), goal=25,
             floor=OUT_100),
    Scenario(TAKEN, "taken", ("--size", SMALL), quick=True),
    flow(TO_PUB, bridge="pub", quick=True, goal=18, floor=ZMQ_PUB),
    flow("MQTT to ZeroMQ PUB, QoS 0, 1 KiB", size=LARGE, bridge="pub"),
    flow("MQTT to ZeroMQ PUSH, QoS 0, 64 B", bridge="push", goal=18, floor=ZMQ_PUSH),
    flow("MQTT to ZeroMQ PUSH, QoS 0, 1 KiB", size=LARGE, bridge="push"),
    flow("ZeroMQ PULL to MQTT, QoS 0, 64 B", bridge="pull", quick=True, goal=14, floor=ZMQ_PUSH),
    flow("ZeroMQ PULL to MQTT, QoS 0, 1 KiB", size=LARGE, bridge="pull"),
    flow("pair, QoS 0, 64 B, window of 100", *pairs(1, 0), "--window", 100),
    flow("fan-out 1 to 1000, QoS 0, 64 B, window of 100 each", *fan_out(1000, 0),
         "--window", 100_000, warmup=50, goal=44),
    flow("20,000 msg/s over 10 pairs, QoS 0, 64 B", *pairs(10, 0), "--rate", 20_000),
    flow("20,000 msg/s from MQTT to ZeroMQ PUB, 64 B", "--rate", 20_000, bridge="pub"),
    Scenario("10,000 idle connections", "conns", ("--count", 10_000, "--hold-ms", 500),
             timed=False, rounds=1),
    Scenario("10,000 idle connections, one subscription each", "conns",
             ("--count", 10_000, "--hold-ms", 500, "--subscribe"), timed=False, rounds=1),
]

# Jobs over ROUTER and DEALER: libzmq alone, and a worker of Trestle's own protocol that drains a
# queue. (name, arguments of zmq_worker; those of Trestle's get the address)
JOBS = 300_000
BARE_WORK = "bare ROUTER to DEALER, 64 B"
WORK = [
    (BARE_WORK, ("bare", 64, JOBS)),
    ("bare ROUTER to DEALER and acknowledgements, window 100, 64 B", ("bare-acked", 64, JOBS, 100)),
    ("router, Trestle's own protocol, window 100, 64 B", ("native", 100)),
    ("router, the same, up to 50 jobs in a message", ("native", 100, 50)),
    ("router, the same, window 1000, up to 100 jobs in a message", ("native", 1000, 100)),
]

# The same work without a broker's work: what the machine itself needs. (name, program, arguments)
FLOORS = [
    (PAIR, "relay", ("flow", *pairs(1, 0), "--size", SMALL, "--warmup", 20_000)),
    (PAIR_1K, "relay", ("flow", *pairs(1, 0), "--size", LARGE, "--warmup", 20_000)),
    (OUT_100, "relay", ("flow", *fan_out(100, 0), "--size", SMALL, "--warmup", 500)),
    (OUT_1000, "relay", ("flow", *fan_out(1000, 0), "--size", SMALL, "--warmup", 50)),
    (IN_100, "relay", ("flow", *fan_in(100, 0), "--size", SMALL, "--warmup", 20_000)),
    (ZMQ_PUB, "zmq", ("--pattern", "pub", "--size", SMALL)),
    (ZMQ_PUSH, "zmq", ("--pattern", "push", "--size", SMALL)),
    ("bare zmq PUSH to PULL, 1 KiB", "zmq", ("--pattern", "push", "--size", LARGE)),
]
