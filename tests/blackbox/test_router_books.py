"""A router's books, when its workers, clients and devices do whatever they can, in any order."""

import random
import struct
import threading

import zmq
from harness import route
from mqtt_bytes import PINGRESP, PUBACK, PUBLISH, PUBREC, PUBREL, V5, V311
from mqtt_bytes import RawClient, ack, ping, publish, read_publish, text
from support.majordomo import Client, Worker
from support.metrics import balance_of_route, balance_of_sessions
from support.waiting import wait_until

BLOCKS = {"max_messages": 20, "block_ms": 100}
ROUTES = [
    route("plain", "plain/{id}/{k}", "s{k}", to="workers", queue=BLOCKS, timeout_ms=500,
          dead_letter="dead/plain"),
    {**route("by-key", "by-key/{id}/{k}", "s{k}", to="workers", queue=BLOCKS, timeout_ms=500,
             ack="worker"), "key": "{id}"},
    route("oldest", "oldest/{id}/{k}", "s{k}", to="workers", timeout_ms=500, ack="worker",
          queue={"max_messages": 5, "when_full": "drop_oldest"}),
    route("newest", "newest/{id}/{k}", "s{k}", to="workers",
          queue={"max_messages": 5, "when_full": "drop_newest"}),
    route("shared", "shared/{id}/{k}", "s{k}", to="workers", share="group"),
]
OPTIONS = {"socket": "router", "heartbeat_ms": 200, "lease_ms": 200, "max_lease_ms": 500,
           "max_attempts": 3, "request_timeout_ms": 300, "max_requests": 20,
           "max_requests_per_client": 2}
OUTCOMES = ("sent", "acked", "refused", "timed_out", "dead_lettered", "dropped")
SERVICES = [b"s0", b"s1", b"s2"]


def device(port, dice):
    """Some messages of each kind; answers what it gets until its ping is."""
    version = dice.choice([V311, V5])
    with RawClient(port, version) as client:
        client.connect(threading.current_thread().name)
        client.subscribe(dice.choice(["answers", "dead/#", "$share/group/shared/+/+"]), qos=1)
        for packet_id in range(1, 30):
            props = b""
            if version == V5 and dice.random() < 0.5:
                props += b"\x08" + text(dice.choice(["answers", "plain/1/1", "$x"]))
            if version == V5 and dice.random() < 0.3:
                props += b"\x02" + struct.pack(">I", 1)  # expires after a second
            qos, name = dice.randrange(3), dice.choice(ROUTES)["name"]
            client.send(publish(version, f"{name}/{dice.randrange(3)}/{dice.randrange(3)}",
                                bytes(dice.randrange(300)), qos, qos and packet_id, props=props))
        client.send(ping())
        while (got := client.read()) is not None and got.kind != PINGRESP:
            if got.kind == PUBREC:
                client.send(ack(PUBREL, got.packet_id))
            elif got.kind == PUBLISH and (message := read_publish(got, version)).qos:
                client.send(ack(PUBACK, message.packet_id))


def client(context, address, dice):
    version, kind = dice.choice([(1, zmq.REQ), (1, zmq.DEALER), (2, zmq.DEALER)])
    one = Client(context, address, version=version, kind=kind)
    for _ in range(10):
        question = dice.choice([
            (dice.choice(SERVICES), b"x"), (b"nobody", b"x"), (b"mmi.service", b"s1"),
            (b"mqtt.publish", b"plain/1/1", b"", b"x"), (b"mqtt.retained", b"#"),
            (b"mqtt.publish", b"answers", b'{"retain": true}', b"x"),
            (b"mqtt.request", b"answers", b'{"timeout_ms": 50}', b"x")])
        for _ in range(1 if kind == zmq.REQ else 3):
            one.send(*question)
        if one.recv(1) is None:
            break
    one.socket.close()


def majordomo(context, address, dice):
    worker = Worker(context, address, dice.choice(SERVICES), dice.choice([1, 2]), heartbeat=0.1)
    for _ in range(20):
        what = dice.random()
        if worker.recv(0.5) is None or what < 0.1:
            break  # with the job
        if what < 0.2:
            worker.recv(0.3)  # says nothing until the lease has ended
        if what < 0.4 and worker.version == 2:
            worker.partial(b"part")
        worker.acknowledge() if what < 0.6 else worker.reply(b"an", b"answer")
        if what > 0.9:
            worker.reply(b"twice")
    if dice.random() < 0.5:
        worker.close()
    worker.socket.close(linger=0)


def native(context, address, dice):
    """Trestle's own protocol: whatever may be said of a tag."""
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(address)
    hello = struct.pack(">II", dice.randrange(1, 20), dice.randrange(1, 8))
    socket.send_multipart([b"TRW1\x01" + hello, dice.choice(SERVICES)])
    for _ in range(40):
        if not socket.poll(500):
            break
        head = socket.recv_multipart()[0]
        tags = {0x82: [head[5:13]], 0x83: [head[i:i + 8] for i in range(5, len(head), 14)]}
        for tag in tags.get(head[4], ()):
            nack = b"\x06" + tag + struct.pack(">IB", dice.randrange(300), dice.randrange(2))
            said = dice.choice([[b"\x03" + tag], [b"\x04" + tag, b"answer"], [nack, b"why"],
                                [b"\x05" + tag, b"part"], [b"\x07" + tag], [b"\x0b" + tag], []])
            if said:
                socket.send_multipart([b"TRW1" + said[0], *said[1:]])
    socket.close()


def books(one):
    """{name: (matched, accounted for)} of those that do not balance."""
    metrics = one.metrics()
    all_of_them = {rule["name"]: balance_of_route(metrics, rule["name"]) for rule in ROUTES}
    all_of_them["sessions"] = balance_of_sessions(metrics, "devices")
    value = metrics.value
    all_of_them["requests"] = (
        value("trestle_zmq_requests_received_total"),
        sum(value("trestle_zmq_requests_total", outcome=outcome) for outcome in OUTCOMES)
        + value("trestle_zmq_requests_waiting") + value("trestle_zmq_requests_in_flight"))
    return {name: book for name, book in all_of_them.items() if book[0] != book[1]}


def left(one):
    """What the gauges say is still there."""
    names = ("queue_messages", "queue_bytes", "in_flight", "jobs_without_worker")
    metrics = one.metrics()
    gauges = [f"trestle_route_{name}" for name in names]
    gauges += [f"trestle_zmq_requests_{name}" for name in ("waiting", "waiting_bytes", "in_flight")]
    return {name: metrics.value(name) for name in gauges if metrics.value(name)}


def test_books_balance_whatever_peers_do(gateway, context):
    one = gateway(endpoints={"workers": OPTIONS}, routes=ROUTES)
    address, errors, are_done = one.address("workers"), [], threading.Event()

    def play(act, seed, *arguments, rounds=None):
        dice = random.Random(seed)
        try:
            while rounds != 0 and not (rounds is None and are_done.is_set()):
                act(*arguments, dice)
                rounds = rounds and rounds - 1
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            errors.append(error)

    def start(act, count, *arguments, **more):
        threads = [threading.Thread(target=play, args=(act, seed, *arguments), kwargs=more)
                   for seed in range(count)]
        for thread in threads:
            thread.start()
        return threads

    workers = start(majordomo, 2, context, address) + start(native, 2, context, address)
    for thread in start(device, 4, one.port, rounds=10) + start(client, 3, context, address,
                                                                 rounds=10):
        thread.join(60)
    are_done.set()
    for thread in workers:
        thread.join(60)
    assert not errors, errors
    wait_until(lambda: not books(one), lambda: f"{books(one)}")
    for name in ("redeliveries", "leases_expired", "late_replies"):
        assert one.metric(f"trestle_zmq_{name}_total") > 0, name
    # Workers that do their work get all that is left.
    diligent = [Worker(context, address, service) for service in SERVICES]

    def is_done():
        for worker in diligent:
            while worker.recv(0.1) is not None:
                worker.acknowledge()
        return not left(one)

    wait_until(is_done, lambda: f"{left(one)}")
    assert not books(one)
