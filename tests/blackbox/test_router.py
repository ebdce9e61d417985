"""ROUTER endpoints: work that workers acknowledge, over Majordomo 0.1 and 0.2."""

import json
import signal
import time

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, PUBREC, V5, V311, publish, read_publish
from support.majordomo import Worker
from support.metrics import balance_of_route
from support.waiting import wait_until

WORK = route("work", "work/{id}", "encode", to="workers")
QUICK = {"socket": "router", "heartbeat_ms": 200}


@pytest.fixture
def worker():
    """Makes Majordomo workers; all are closed at the end."""
    context, made = zmq.Context(), []

    def make(one, service=b"encode", endpoint="workers", **options):
        made.append(Worker(context, one.address(endpoint), service, **options))
        return made[-1]

    yield make
    context.destroy(linger=0)


def check_books(one, name="work"):
    wait_until(lambda: len(set(balance_of_route(one.metrics(), name))) == 1,
               lambda: f"books of {name}: {balance_of_route(one.metrics(), name)}")


def outcome(one, word, name="work"):
    return one.metric("trestle_route_messages_total", route=name, outcome=word)


@pytest.mark.parametrize("protocol", [1, 2], ids=["mdp01", "mdp02"])
def test_a_job_waits_for_a_worker_and_is_acknowledged(gateway, raw, worker, protocol):
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[WORK])
    device = raw(one.port)
    device.connect("camera")
    assert device.publish("work/7", b"film", 1, packet_id=1) == 0  # accepted: it is in the queue
    assert one.metric("trestle_route_queue_messages", route="work") == 1
    w = worker(one, version=protocol)
    key, meta, payload = w.recv()
    assert (key, payload) == (b"encode", b"film")
    meta = json.loads(meta)
    assert meta["topic"] == "work/7" and meta["client"] == "camera" and meta["attempt"] == 1
    assert len(meta["id"]) >= 16 and meta["qos"] == 1
    one.wait_metric(1, "trestle_route_in_flight", route="work")
    check_books(one)
    w.reply(b"done")
    one.wait_metric(1, "trestle_route_messages_total", route="work", outcome="acked")
    one.wait_metric(0, "trestle_route_in_flight", route="work")
    assert outcome(one, "sent") == 0
    check_books(one)


@pytest.mark.parametrize("body,frames", [("payload", [b"x"]), ("topic_payload", [b"encode", b"x"])])
def test_bodies(gateway, raw, worker, body, frames):
    one = gateway(endpoints={"workers": {"socket": "router", "body": body}}, routes=[WORK])
    w = worker(one)
    device = raw(one.port)
    device.connect()
    device.publish("work/7", b"x")
    assert w.recv() == frames


def test_puback_waits_for_the_worker(gateway, raw, worker, version):
    """"ack": "worker": PUBACK comes with the reply; QoS 0 is simply queued."""
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[{**WORK, "ack": "worker"}])
    device = raw(one.port, version)
    device.connect()
    device.publish("work/0", b"zero")
    device.send(publish(version, "work/1", b"one", 1, 1))
    device.send(publish(version, "work/2", b"two", 2, 2))
    w = worker(one)
    assert w.recv()[-1] == b"zero"
    w.acknowledge()
    assert w.recv()[-1] == b"one"
    device.ping()  # whose answer comes, and no PUBACK before it
    w.reply(b"")
    assert device.expect(PUBACK).packet_id == 1
    assert w.recv()[-1] == b"two"
    device.ping()
    w.reply(b"result")
    assert device.expect(PUBREC).packet_id == 2
    one.wait_metric(3, "trestle_route_messages_total", route="work", outcome="acked")
    check_books(one)


@pytest.mark.parametrize("dead_letter", [None, "dead/work"])
def test_timeout_withdraws_the_job(gateway, raw, worker, version, dead_letter):
    """0x80, or without a word for it: PUBACK when it is a dead letter, else the end."""
    more = {"dead_letter": dead_letter} if dead_letter else {}
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[{**WORK, "ack": "worker", "timeout_ms": 300, **more}])
    device, watcher = raw(one.port, version), raw(one.port)
    device.connect()
    watcher.connect()
    watcher.subscribe("dead/#", qos=0)
    device.send(publish(version, "work/1", b"late", 1, 1))
    if version == V311 and not dead_letter:
        device.expect_closed()
    else:
        assert device.expect(PUBACK).reason(version) == (0x80 if version == V5 else 0)
    word = "dead_lettered" if dead_letter else "timed_out"
    one.wait_metric(1, "trestle_route_messages_total", route="work", outcome=word)
    if dead_letter:
        letter = watcher.expect_message()
        assert (letter.topic, letter.payload) == (dead_letter, b"late")
        props = repr(letter.props)
        for expected in ("trestle-status", "503", "trestle-reason", "no worker",
                         "trestle-attempts", "trestle-topic", "work/1", "trestle-id"):
            assert expected in props
    assert one.metric("trestle_route_queue_messages", route="work") == 0
    w = worker(one)
    assert w.recv(seconds=0.3) is None  # it is gone
    check_books(one)


def test_a_job_that_times_out_at_a_worker(gateway, raw, worker):
    """Its late reply is known as one and gives the worker its next job."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[{**WORK, "ack": "worker", "timeout_ms": 300}])
    device = raw(one.port)
    device.connect()
    w = worker(one)
    device.send(publish(V5, "work/1", b"slow", 1, 1))
    assert w.recv()[-1] == b"slow"
    assert device.expect(PUBACK).reason(V5) == 0x80
    device.send(publish(V5, "work/2", b"next", 1, 2))
    w.reply(b"too late")
    one.wait_metric(1, "trestle_zmq_late_replies_total", endpoint="workers")
    assert w.recv()[-1] == b"next"
    w.reply(b"")
    assert device.expect(PUBACK).reason(V5) == 0
    check_books(one)


def test_full_queue_refuses_after_its_time(gateway, raw):
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[{**WORK, "ack": "worker",
                           "queue": {"max_messages": 2, "block_ms": 200}}])
    device = raw(one.port)
    device.connect()
    for i in range(3):
        device.send(publish(V5, f"work/{i}", b"", 1, i + 1))
    one.wait_metric(1, "trestle_route_messages_total", route="work", outcome="refused")
    assert one.metric("trestle_route_queue_messages", route="work") == 2
    check_books(one)


def test_the_job_of_a_worker_that_goes_is_done_by_another(gateway, raw, worker):
    """A cut connection at once; the job keeps its id and its place before later ones."""
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[{**WORK, "ack": "worker"}])
    device = raw(one.port)
    device.connect()
    first = worker(one)
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    for i in range(3):
        device.send(publish(V5, f"work/{i}", b"%d" % i, 1, i + 1))
    _, meta, payload = first.recv()
    assert payload == b"0"
    first.socket.close(linger=0)
    one.wait_metric(0, "trestle_zmq_workers", endpoint="workers")
    second = worker(one)
    for i in range(3):
        _, again, payload = second.recv()
        assert payload == b"%d" % i
        if i == 0:
            assert json.loads(again)["id"] == json.loads(meta)["id"]
            assert json.loads(again)["attempt"] == 2
        second.reply(b"ok")
        assert device.expect(PUBACK).packet_id == i + 1
    assert one.metric("trestle_zmq_redeliveries_total", endpoint="workers") == 1
    check_books(one)


def test_attempts_are_used_up(gateway, raw, worker):
    """0x83 in version 5; a resend could not help."""
    one = gateway(endpoints={"workers": {"socket": "router", "max_attempts": 2}},
                  routes=[{**WORK, "ack": "worker", "dead_letter": "dead/work"}])
    device, watcher = raw(one.port), raw(one.port)
    device.connect()
    watcher.connect()
    watcher.subscribe("dead/work")
    device.send(publish(V5, "work/1", b"poison", 1, 1))
    for _ in range(2):
        w = worker(one)
        assert w.recv()[-1] == b"poison"
        w.close()
    assert device.expect(PUBACK).reason(V5) == 0x83
    assert watcher.expect_message().payload == b"poison"
    one.wait_metric(1, "trestle_route_messages_total", route="work", outcome="dead_lettered")
    check_books(one)


def test_a_lease_ends(gateway, raw, worker):
    """A worker that says nothing loses its job; a reply that comes all the same settles it."""
    one = gateway(endpoints={"workers": {"socket": "router", "lease_ms": 300}},
                  routes=[{**WORK, "ack": "worker"}])
    device = raw(one.port)
    device.connect()
    hung = worker(one)
    device.send(publish(V5, "work/1", b"x", 1, 1))
    assert hung.recv()[-1] == b"x"
    one.wait_metric(1, "trestle_zmq_leases_expired_total", endpoint="workers")
    second = worker(one)
    assert second.recv()[-1] == b"x"
    hung.reply(b"first")
    assert device.expect(PUBACK).reason(V5) == 0
    second.reply(b"second")
    one.wait_metric(2, "trestle_zmq_late_replies_total", endpoint="workers")
    assert outcome(one, "acked") == 1
    check_books(one)


def test_signs_of_life_renew_a_lease(gateway, raw, worker):
    """HEARTBEAT and PARTIAL of a busy worker, up to max_lease_ms."""
    one = gateway(endpoints={"workers": {"socket": "router", "lease_ms": 1000,
                                         "max_lease_ms": 3000}}, routes=[WORK])
    device = raw(one.port)
    device.connect()
    w = worker(one, version=2)
    device.publish("work/1", b"x", 1, packet_id=1)
    assert w.recv()[-1] == b"x"
    begun = time.monotonic()
    while one.metric("trestle_zmq_leases_expired_total", endpoint="workers") == 0:
        w.send(b"\x04")
        w.partial(b"half")
        assert time.monotonic() < begun + 20
    assert time.monotonic() - begun > 2  # twice as long as without


def test_an_idle_worker_must_be_heard_of(gateway, worker):
    """A worker that is busy need not; see test_router_faults."""
    one = gateway(endpoints={"workers": {"socket": "router", "heartbeat_ms": 500}})
    quiet = worker(one)
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    one.wait_metric(0, "trestle_zmq_workers", endpoint="workers")
    with pytest.raises(ConnectionResetError):
        quiet.recv(reconnect=False)
    alive = worker(one, heartbeat=0.5)
    assert alive.recv(seconds=3) is None
    assert alive.connections == 1
    assert one.metric("trestle_zmq_workers", endpoint="workers") == 1


def test_a_worker_of_the_guide_may_be_busy_for_long(gateway, raw, worker):
    """It is silent all that time, 20 s with the default heartbeats, and keeps its job."""
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[{**WORK, "ack": "worker"}])
    device = raw(one.port)
    device.connect()
    w = worker(one)
    device.send(publish(V5, "work/1", b"long", 1, 1))
    assert w.recv()[-1] == b"long"
    time.sleep(20)  # the work itself
    w.reply(b"done")
    assert device.expect(PUBACK).reason(V5) == 0
    assert one.metric("trestle_zmq_redeliveries_total", endpoint="workers") == 0
    device.send(publish(V5, "work/2", b"next", 1, 2))
    assert w.recv()[-1] == b"next" and w.connections == 1


def test_order_by_key(gateway, raw, worker):
    """With `key`, one job at a time for each key, in order, also when a worker dies."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[{**WORK, "mqtt": "work/{id}/{what}", "key": "{id}"}])
    device = raw(one.port)
    device.connect()
    for i in range(3):
        for device_id in ("a", "b"):
            device.publish(f"work/{device_id}/x", f"{device_id}{i}".encode(), 1,
                           packet_id=10 * i + ord(device_id))
    workers = [worker(one) for _ in range(3)]
    first = {}
    wait_until(lambda: one.metric("trestle_route_in_flight", route="work") == 2, "not two at work")
    for w in workers:
        if (body := w.recv(seconds=0.2)) is not None:
            first[body[-1]] = w
    assert sorted(first) == [b"a0", b"b0"]
    first[b"a0"].socket.close(linger=0)  # dies: a0 comes again before a1
    workers.remove(first.pop(b"a0"))
    got = []
    first[b"b0"].reply()
    while len(got) < 5:
        for w in workers:
            if (body := w.recv(seconds=0.05)) is not None:
                got.append(body[-1])
                w.reply()
    assert [g for g in got if g[:1] == b"a"] == [b"a0", b"a1", b"a2"]
    assert [g for g in got if g[:1] == b"b"] == [b"b1", b"b2"]
    check_books(one)


def test_unix_sockets(gateway, raw, worker, tmp_path):
    """There too a connection that ends gives its job back at once."""
    one = gateway(endpoints={"workers": {"socket": "router", "bind": [f"ipc://{tmp_path}/work"]}},
                  routes=[{**WORK, "ack": "worker"}])
    device = raw(one.port)
    device.connect()
    device.send(publish(V5, "work/1", b"x", 1, 1))
    first = worker(one)
    assert first.recv()[-1] == b"x"
    first.socket.close(linger=0)
    one.wait_metric(0, "trestle_zmq_workers", endpoint="workers")
    second = worker(one)
    assert second.recv()[-1] == b"x"
    second.reply(b"")
    assert device.expect(PUBACK).reason(V5) == 0


def test_services_by_template(gateway, raw, worker):
    """The key names the service; one without workers holds up no other."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[route("work", "work/{kind}", "do-{kind}", to="workers")])
    device = raw(one.port)
    device.connect()
    device.publish("work/nobody", b"1", 1, packet_id=1)
    device.publish("work/paint", b"2", 1, packet_id=2)
    w = worker(one, b"do-paint")
    assert w.recv()[-1] == b"2"


def test_request_and_response(gateway, raw, worker):
    """MQTT 5: a Response Topic makes a request of it; the answer carries the Correlation Data."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[{**WORK, "timeout_ms": 600}])
    device = raw(one.port)
    device.connect()
    device.subscribe("answers/d1")
    request = b"\x08" + b"\x00\x0aanswers/d1" + b"\x09" + b"\x00\x03c-1"
    w = worker(one)
    device.publish("work/1", b"2+2", 1, packet_id=1, props=request)
    meta = json.loads(w.recv()[1])
    assert meta["response_topic"] == "answers/d1" and meta["correlation_data"] == "Yy0x"
    w.reply(b"ignored", b"4")
    answer = device.expect_message()
    assert (answer.topic, answer.payload) == ("answers/d1", b"4")
    assert "c-1" in repr(answer.props) and "trestle-status" in repr(answer.props)
    w.close()
    one.wait_metric(0, "trestle_zmq_workers", endpoint="workers")
    device.publish("work/1", b"3+3", 1, packet_id=2, props=request)
    answer = device.expect_message()
    assert answer.payload == b"" and "503" in repr(answer.props) and "c-1" in repr(answer.props)
    check_books(one)


def test_each_end_of_a_request_is_told(gateway, raw, worker):
    """By a status, whatever the QoS; what is said of the job is the same each time."""
    one = gateway(endpoints={"workers": {"socket": "router", "max_attempts": 2}},
                  routes=[{**WORK, "timeout_ms": 2000}])
    device = raw(one.port)
    device.connect()
    device.subscribe("answers")
    request = b"\x08" + b"\x00\x07answers" + b"\x09" + b"\x00\x02\x00\xff"

    def ask(qos):
        device.send(publish(V5, "work/1", b"?", qos, qos, props=request))
        assert not qos or device.expect(PUBACK).reason(V5) == 0

    def told():
        answer = device.expect_message()
        assert answer.props[0x09] == b"\x00\xff"
        said = {name.decode(): value.decode() for name, value in answer.props[0x26]}
        assert said["trestle-topic"] == "work/1"
        return (answer.payload, said["trestle-status"], said.get("trestle-reason"),
                said["trestle-attempts"], said["trestle-id"])

    w = worker(one, version=2)
    ask(qos=0)
    job = json.loads(w.recv()[1])["id"]
    w.partial(b"half")
    assert told() == (b"half", "206", None, "1", job)
    w.reply(b"all")
    assert told() == (b"all", "200", None, "1", job)
    ask(qos=1)
    job = json.loads(w.recv()[1])["id"]
    assert told() == (b"", "408", "timed out", "1", job)
    w.reply(b"late")
    ask(qos=1)
    for _ in range(2):
        job = json.loads(w.recv()[1])["id"]
        w.close()
        one.wait_metric(0, "trestle_zmq_workers", endpoint="workers")
        w = worker(one, version=2)
    assert told() == (b"", "500", "attempts used up", "2", job)
    check_books(one)


def test_a_request_that_finds_no_place_is_answered_too(gateway, raw):
    rule = {**WORK, "queue": {"max_messages": 1, "when_full": "drop_newest"}}
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[rule])
    device = raw(one.port)
    device.connect()
    device.subscribe("answers/d1")
    for packet_id, what in enumerate((b"c-1", b"c-2"), 1):
        device.publish("work/1", what, 1, packet_id=packet_id,
                       props=b"\x08" + b"\x00\x0aanswers/d1" + b"\x09" + b"\x00\x03" + what)
    answer = device.expect_message()
    assert answer.payload == b"" and "503" in repr(answer.props) and "c-2" in repr(answer.props)
    check_books(one)


def test_a_request_that_waits_for_a_place_in_vain_is_answered(gateway, raw):
    """Refused when its time is up, or expired before."""
    rule = {**WORK, "timeout_ms": 60_000, "queue": {"max_messages": 1, "block_ms": 1500}}
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[rule])
    device = raw(one.port)
    device.connect()
    device.subscribe("answers")
    device.publish("work/1", b"has a place", 1, packet_id=1)
    request = b"\x08\x00\x07answers\x09\x00\x01"
    device.send(publish(V5, "work/1", b"expires", 1, 2, props=request + b"x\x02\0\0\0\x01"),
                publish(V5, "work/1", b"waits", 1, 3, props=request + b"w"))
    answers, acks = {}, {}
    while len(answers) + len(acks) < 4:
        packet = device.read()
        if packet.kind == PUBACK:
            acks[packet.packet_id] = packet.reason(V5)
        else:
            answer = read_publish(packet, V5)
            answers[answer.props[0x09]] = dict(answer.props[0x26])[b"trestle-status"]
    assert answers == {b"x": b"503", b"w": b"503"}
    assert acks[3] == 0x97
    check_books(one)


def test_a_route_that_is_removed_drains(gateway, raw, worker):
    """What workers take within the drain time is done; the rest is dropped{route_removed}."""
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[WORK],
                  drain_timeout_ms=1500)
    device = raw(one.port)
    device.connect()
    for i in range(5):
        assert device.publish(f"work/{i}", b"%d" % i, 1, packet_id=i + 1) == 0
    w = worker(one)
    assert w.recv()[-1] == b"0"
    one.write_config({**one.config, "routes": []})
    one.signal(signal.SIGHUP)
    one.wait_metric(1, "trestle_config_reloads_total", result="ok")
    w.reply(b"")
    assert w.recv()[-1] == b"1"
    one.wait_metric(4, "trestle_messages_dropped_total", endpoint="workers",
                    reason="route_removed")
    assert one.metric("trestle_zmq_workers", endpoint="workers") == 1


def test_the_end(gateway, raw, worker):
    """SIGTERM: what a worker is at is waited for, nothing new is lost unseen, workers are told."""
    one = gateway(endpoints={"workers": {"socket": "router"}}, routes=[WORK])
    device = raw(one.port)
    device.connect()
    w = worker(one)
    for i in range(3):
        device.publish(f"work/{i}", b"%d" % i, 1, packet_id=i + 1)
    assert w.recv()[-1] == b"0"
    one.signal(signal.SIGTERM)
    for i in range(3):
        w.reply(b"")
        if i < 2:
            assert w.recv(reconnect=False)[-1] == b"%d" % (i + 1)
    with pytest.raises(ConnectionResetError):
        w.recv(reconnect=False)
    assert one.wait() == 0
    assert "could not be delivered" not in one.log()
