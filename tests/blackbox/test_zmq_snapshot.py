"""Retained messages for ZeroMQ subscribers that come late (`snapshot` of a route)."""

import json
import threading
import time

import pytest
import zmq
from harness import receive_all, route
from mqtt_bytes import PUBACK, V5, publish
from support.gateway import run_program
from support.metrics import balance_of_route
from support.waiting import wait_until

STATES = route("states", "machine/{id}/state", "state.{id}.", to="out", snapshot=True)


def start(gateway, **options):
    return gateway(endpoints={"out": {"socket": "pub", **options}}, routes=[STATES])


def retain(client, numbers, payload=b"%d", retain=True):
    for i, number in enumerate(numbers):
        body = payload % number if b"%" in payload else payload
        client.send(publish(V5, f"machine/{number}/state", body, 1, i + 1, retain=retain))
    for _ in numbers:
        client.expect(PUBACK)


def device_of(one, raw):
    device = raw(one.port)
    device.connect()
    return device


def subscriber(one, sockets, prefix=b"state.", **options):
    sub = sockets(zmq.SUB, **options)
    sub.subscribe(prefix)
    sub.connect(one.address("out"))
    return sub


def read_all(sub, quiet=300):
    got = []
    while sub.poll(quiet):
        got.append(sub.recv_multipart())
    return got


def replayed(one):
    return one.metric("trestle_zmq_snapshot_messages_total", endpoint="out")


def test_a_late_subscriber_gets_the_present_state(gateway, raw, sockets):
    one = start(gateway)
    device = device_of(one, raw)
    retain(device, range(200))
    late = subscriber(one, sockets)
    assert sorted(int(f[1]) for f in receive_all(late, 200)) == list(range(200))
    one_key = subscriber(one, sockets, b"state.17.")
    assert one_key.recv_multipart() == [b"state.17.", b"17"]
    assert read_all(one_key) == []
    assert one.metric("trestle_route_messages_total", route="states", outcome="dropped") == 200
    one.wait_metric(201, "trestle_route_messages_total", route="states", outcome="sent")
    matched, accounted = balance_of_route(one.metrics(), "states")
    assert matched == accounted == 401


def test_each_subscription_counts_not_only_the_first_to_its_prefix(gateway, raw, sockets):
    """Everybody on that prefix sees the replay, marked as such; live messages are not."""
    one = start(gateway, format="full", snapshot_min_interval_ms=100)
    device = device_of(one, raw)
    retain(device, [1])
    first = subscriber(one, sockets)
    key, meta, payload = first.recv_multipart()
    assert (key, payload) == (b"state.1.", b"1")
    meta = json.loads(meta)
    assert meta["snapshot"] is True and meta["topic"] == "machine/1/state"
    assert meta["retain"] is True and "time" not in meta
    second = subscriber(one, sockets)
    for sub in (first, second):
        assert json.loads(sub.recv_multipart()[1])["snapshot"] is True
    retain(device, [2])
    for sub in (first, second):
        key, meta, _ = sub.recv_multipart()
        assert key == b"state.2." and "snapshot" not in json.loads(meta)


def test_replays_of_a_prefix_are_gathered(gateway, raw, sockets):
    """A crowd that subscribes at once causes one replay, and later ones wait for the interval."""
    one = start(gateway, snapshot_min_interval_ms=2000)
    device = device_of(one, raw)
    retain(device, range(10))
    begun = time.monotonic()
    crowd = [subscriber(one, sockets) for _ in range(30)]
    for sub in crowd:
        assert {f[0] for f in receive_all(sub, 10)} == {b"state.%d." % i for i in range(10)}
    # The first had a replay of its own, perhaps; all others shared the next one.
    assert replayed(one) <= 20 + 10 * int((time.monotonic() - begun) / 2)


def test_a_replay_is_bounded(gateway, raw, sockets):
    one = start(gateway, snapshot_max_messages=50)
    retain(device_of(one, raw), range(300))
    sub = subscriber(one, sockets)
    receive_all(sub, 50)
    one.wait_metric(1, "trestle_zmq_snapshots_cut_short_total", endpoint="out")
    assert read_all(sub) == []


def test_what_was_overtaken_is_not_replayed(gateway, raw, sockets):
    """A newer message that is not retained has gone out: the retained one must not follow it."""
    one = start(gateway)
    device = device_of(one, raw)
    retain(device, [1, 2])
    sub = subscriber(one, sockets, b"state.1.")
    assert sub.recv_multipart() == [b"state.1.", b"1"]
    retain(device, [1], b"newer", retain=False)
    assert sub.recv_multipart() == [b"state.1.", b"newer"]
    late = subscriber(one, sockets)
    assert late.recv_multipart() == [b"state.2.", b"2"]
    assert read_all(late) == [] and read_all(sub) == []
    retain(device, [1], b"newest")
    assert subscriber(one, sockets, b"state.1").recv_multipart() == [b"state.1.", b"newest"]
    retain(device, [1], b"")  # cleared
    assert read_all(subscriber(one, sockets, b"state.1")) == []


@pytest.mark.parametrize("options", [{}, {"format": "full"}, {"sequence": True}], ids=str)
def test_what_was_overtaken_unheard_is_not_replayed(gateway, raw, sockets, options):
    """Nobody wanted the newer message; the older one is out of date all the same."""
    one = start(gateway, **options)
    device = device_of(one, raw)
    retain(device, [1, 2])
    retain(device, [1], b"newer", retain=False)
    late = subscriber(one, sockets)
    frames = late.recv_multipart()
    assert (frames[0], frames[-1]) == (b"state.2.", b"2")
    assert read_all(late) == []
    retain(device, [1], b"newest")
    assert late.recv_multipart()[-1] == b"newest"


def test_a_retained_value_never_follows_a_newer_one(gateway, raw, sockets):
    """Several publishers, on all shards, while subscribers come again and again."""
    one = start(gateway, snapshot_min_interval_ms=0, send_hwm=100_000)
    keys, rounds, writers = 8, 150, 4
    reader = subscriber(one, sockets, rcvhwm=0)
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    stop = threading.Event()

    def restless():
        context = zmq.Context()
        while not stop.is_set():
            sub = context.socket(zmq.SUB)
            sub.linger = 0
            sub.subscribe(b"state.")
            sub.connect(one.address("out"))
            sub.poll(20)
            sub.close()
        context.term()

    def write(client, mine):
        for number in range(1, rounds + 1):
            for key in mine:
                retained = number % 3 != 0
                client.send(publish(V5, f"machine/{key}/state", b"%d" % number, 1, 1,
                                    retain=retained))
                client.expect(PUBACK)

    comers = [threading.Thread(target=restless) for _ in range(3)]
    clients = [raw(one.port) for _ in range(writers)]
    for n, client in enumerate(clients):
        client.connect(f"writer{n}")
    threads = [threading.Thread(target=write, args=(c, range(n, keys, writers)))
               for n, c in enumerate(clients)]
    for thread in comers + threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    stop.set()
    for thread in comers:
        thread.join(20)
    last = dict.fromkeys((b"state.%d." % k for k in range(keys)), 0)
    seen = 0
    while reader.poll(500):
        key, payload = reader.recv_multipart()
        assert int(payload) >= last[key], f"{key} went back from {last[key]} to {payload}"
        last[key] = int(payload)
        seen += 1
    assert set(last.values()) == {rounds}
    assert replayed(one) > 0 and seen > keys * rounds
    matched, accounted = balance_of_route(one.metrics(), "states")
    assert matched == accounted


def test_a_great_many_do_not_hold_up_others(gateway, raw, sockets):
    one = start(gateway, snapshot_max_messages=20_000, send_hwm=30_000)
    device = device_of(one, raw)
    for begin in range(0, 20_000, 1000):
        retain(device, range(begin, begin + 1000), b"x")
    sub = subscriber(one, sockets, rcvhwm=0)
    seen = []
    while not seen or seen[-1] < 20_000:
        device.ping()
        seen.append(replayed(one))
    assert any(0 < n < 20_000 for n in seen), seen
    assert len(receive_all(sub, 20_000)) == 20_000


@pytest.mark.parametrize("bad,path", [
    ({"mqtt": "machine/{id}/{kind}", "zmq": "state.{id}."}, "routes[0].zmq"),
])
def test_topics_need_keys_of_their_own(gateway, bad, path):
    one = gateway(endpoints={"out": {"socket": "pub"}}, routes=[STATES])
    one.config["routes"] = [{**STATES, **bad}]
    one.write_config()
    done = run_program("check", "--config", one.config_file)
    assert done.returncode == 2
    assert path in done.stderr and "snapshot" in done.stderr


def test_snapshot_can_be_switched_on_while_running(gateway, raw, sockets):
    one = gateway(endpoints={"out": {"socket": "pub"}},
                  routes=[{k: v for k, v in STATES.items() if k != "snapshot"}])
    retain(device_of(one, raw), [5])
    assert read_all(subscriber(one, sockets)) == []
    one.config["routes"] = [STATES]
    one.write_config()
    one.signal(1)
    one.wait_metric(1, "trestle_config_reloads_total", result="ok")
    assert subscriber(one, sockets).recv_multipart() == [b"state.5.", b"5"]
    wait_until(lambda: replayed(one) == 1, "counted")
