"""The work of the benchmark: what is driven, how, and which figures of it count."""

from dataclasses import dataclass

# The payload of a PUBLISH, the last frame of a ZeroMQ message.
SMALL, LARGE = 64, 1024


@dataclass(frozen=True)
class Scenario:
    name: str
    command: str          # of mqttload: flow, conns, subs
    flags: tuple          # of mqttload
    bridge: str = ""      # pub, push or pull: needs a way between MQTT and ZeroMQ
    timed: bool = True    # runs for --seconds
    warmup: int = 20_000  # messages published before the clock starts (flow only)
    rounds: int = 0       # 0: as many as asked for
    quick: bool = False   # part of --quick

    def arguments(self, seconds):
        out = [self.command, *map(str, self.flags)]
        if self.timed:
            out += ["--seconds", f"{seconds:g}"]
        if self.command == "flow":
            out += ["--warmup", str(self.warmup)]
        return out


def flow(name, *flags, size=SMALL, **more):
    return Scenario(name, "flow", (*flags, "--size", size), **more)


def pairs(count, qos):
    return ("--pubs", count, "--subs", count, "--qos", qos)


def fan_out(count, qos):
    return ("--pattern", "fanout", "--subs", count, "--qos", qos)


def fan_in(count, qos):
    return ("--pattern", "fanin", "--pubs", count, "--subs", 1, "--qos", qos)


SCENARIOS = [
    flow("pair, QoS 0, 64 B", *pairs(1, 0), quick=True),
    flow("pair, QoS 1, 64 B", *pairs(1, 1), quick=True),
    flow("pair, QoS 2, 64 B", *pairs(1, 2)),
    flow("pair, QoS 0, 1 KiB", *pairs(1, 0), size=LARGE),
    flow("pair, QoS 1, 1 KiB", *pairs(1, 1), size=LARGE),
    flow("10 pairs, QoS 0, 64 B", *pairs(10, 0)),
    flow("10 pairs, QoS 1, 64 B", *pairs(10, 1)),
    flow("fan-out 1 to 100, QoS 0, 64 B", *fan_out(100, 0), warmup=500, quick=True),
    flow("fan-out 1 to 100, QoS 1, 64 B", *fan_out(100, 1), warmup=500),
    flow("fan-out 1 to 1000, QoS 0, 64 B", *fan_out(1000, 0), warmup=50),
    flow("fan-in 100 to 1, QoS 0, 64 B", *fan_in(100, 0), quick=True),
    flow("fan-in 100 to 1, QoS 1, 64 B", *fan_in(100, 1)),
    Scenario("100,000 subscriptions, 64 B", "subs", ("--count", 100_000, "--size", SMALL)),
    flow("MQTT to ZeroMQ PUB, QoS 0, 64 B", bridge="pub", quick=True),
    flow("MQTT to ZeroMQ PUB, QoS 0, 1 KiB", size=LARGE, bridge="pub"),
    flow("MQTT to ZeroMQ PUSH, QoS 0, 64 B", bridge="push"),
    flow("MQTT to ZeroMQ PUSH, QoS 0, 1 KiB", size=LARGE, bridge="push"),
    flow("ZeroMQ PULL to MQTT, QoS 0, 64 B", bridge="pull", quick=True),
    flow("ZeroMQ PULL to MQTT, QoS 0, 1 KiB", size=LARGE, bridge="pull"),
    flow("20,000 msg/s over 10 pairs, QoS 0, 64 B", *pairs(10, 0), "--rate", 20_000),
    Scenario("10,000 idle connections", "conns", ("--count", 10_000, "--hold-ms", 500),
             timed=False, rounds=1),
    Scenario("10,000 idle connections, one subscription each", "conns",
             ("--count", 10_000, "--hold-ms", 500, "--subscribe"), timed=False, rounds=1),
]

# The same work without a broker's work: what the machine itself needs. (name, program, arguments)
FLOORS = [
    ("relay, pair, 64 B", "relay", ("flow", *pairs(1, 0), "--size", SMALL, "--warmup", 20_000)),
    ("relay, pair, 1 KiB", "relay", ("flow", *pairs(1, 0), "--size", LARGE, "--warmup", 20_000)),
    ("relay, fan-out 1 to 100, 64 B", "relay",
     ("flow", *fan_out(100, 0), "--size", SMALL, "--warmup", 500)),
    ("bare zmq PUB to SUB, 64 B", "zmq", ("--pattern", "pub", "--size", SMALL)),
    ("bare zmq PUSH to PULL, 64 B", "zmq", ("--pattern", "push", "--size", SMALL)),
    ("bare zmq PUSH to PULL, 1 KiB", "zmq", ("--pattern", "push", "--size", LARGE)),
]
