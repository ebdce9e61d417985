"""Routes with `share`: MQTT clients and ZeroMQ workers compete for the same jobs."""

import collections

import pytest
import zmq
from harness import route
from mqtt_bytes import PINGRESP, PUBACK, PUBLISH, V5, ack, ping, publish, read_publish
from support.gateway import run_program
from support.majordomo import Worker
from support.metrics import balance_of_route
from support.waiting import wait_until

JOBS = route("jobs", "video/{id:[0-9]+}/uploaded", "encode.{id}", to="jobs", share="encoders")
GROUP = "$share/encoders/video/+/uploaded"


@pytest.fixture
def one(gateway):
    return gateway(endpoints={"jobs": {"socket": "push", "send_hwm": 10}}, routes=[JOBS])


def client_of(one, raw, group=GROUP, **more):
    client = raw(one.port)
    client.connect(**more)
    if group:
        client.subscribe(group, qos=1)
    return client


def worker_of(one, sockets, **options):
    worker = sockets(zmq.PULL, **options)
    worker.connect(one.address("jobs"))
    return worker


def send(client, numbers, start=1):
    """QoS 1, each acknowledged."""
    for i, number in enumerate(numbers):
        client.send(publish(V5, f"video/{number}/uploaded", b"%d" % number, 1, start + i))
    return [client.expect(PUBACK).reason(V5) for _ in numbers]


def take(client, acknowledge=True):
    """What the client has been sent until now."""
    got = []
    client.send(ping())
    while (packet := client.read()).kind != PINGRESP:
        assert packet.kind == PUBLISH
        message = read_publish(packet, V5)
        got.append(int(message.payload))
        if acknowledge:
            client.send(ack(PUBACK, message.packet_id))
    return got


def take_all(client, count, least=0):
    """So many, from `least` on: with several shards they may be on their way still."""
    got = []

    def have_come():
        got.extend(n for n in take(client) if n >= least)
        return len(got) >= count

    wait_until(have_come, lambda: f"{count} jobs, {got}")
    return got


def receive(worker):
    got = []
    while worker.poll(20):
        got.append(int(worker.recv_multipart()[-1]))
    return got


def balanced(one):
    matched, accounted = balance_of_route(one.metrics(), "jobs")
    return matched == accounted


def test_each_job_to_exactly_one(one, raw, sockets):
    clients = [client_of(one, raw) for _ in range(2)]
    workers = [worker_of(one, sockets) for _ in range(2)]
    one.wait_peers("jobs", 2)
    device = client_of(one, raw, None)
    seen = collections.Counter()
    by = collections.Counter()

    def gather():
        for name, got in [*((f"client{i}", take(c)) for i, c in enumerate(clients)),
                          *((f"worker{i}", receive(w)) for i, w in enumerate(workers))]:
            seen.update(got)
            by[name] += len(got)
        return sum(seen.values()) >= 400

    for start in range(0, 400, 20):
        assert send(device, range(start, start + 20)) == [0] * 20
        gather()
    wait_until(gather, lambda: f"{by}")
    assert sorted(seen.elements()) == list(range(400))
    assert min(by.values()) > 20, by
    wait_until(lambda: balanced(one), "the books")
    assert one.metric("trestle_route_messages_total", route="jobs", outcome="sent") == \
        by["worker0"] + by["worker1"]


def test_without_workers_clients_get_everything(one, raw, sockets):
    """Nothing is soaked up by a push endpoint that nobody is connected to."""
    client = client_of(one, raw)
    device = client_of(one, raw, None)
    assert send(device, range(60)) == [0] * 60
    assert sorted(take_all(client, 60)) == list(range(60))
    assert one.metric("trestle_route_matched_total", route="jobs") == 0
    worker = worker_of(one, sockets)
    one.wait_peers("jobs", 1)
    got = []

    def shared():
        send(device, range(20))
        take(client)
        got.extend(receive(worker))
        return got

    wait_until(shared, "the worker takes part")
    worker.close()
    one.wait_peers("jobs", 0)
    before = one.metric("trestle_route_matched_total", route="jobs")
    send(device, range(100, 130))
    assert sorted(take_all(client, 30, least=100)) == list(range(100, 130))
    assert one.metric("trestle_route_matched_total", route="jobs") == before


def test_a_worker_without_room_is_passed_over(one, raw, sockets):
    """It never reads; what it and the sockets on the way hold is all that it gets."""
    client = client_of(one, raw)
    worker_of(one, sockets, rcvhwm=1, rcvbuf=4096)
    one.wait_peers("jobs", 1)
    device = client_of(one, raw, None)
    body = b"x" * 50_000
    taken = []

    def had_enough():
        """For three rounds it has been given nothing."""
        for i in range(20):
            device.send(publish(V5, f"video/{i}/uploaded", body, 1, i + 1))
        for _ in range(20):
            device.expect(PUBACK)
        client.send(ping())
        while (packet := client.read()).kind != PINGRESP:
            client.send(ack(PUBACK, read_publish(packet, V5).packet_id))
        taken.append(one.metric("trestle_route_matched_total", route="jobs"))
        return len(taken) > 3 and len(set(taken[-4:])) == 1

    wait_until(had_enough, lambda: f"it took {taken}")
    assert one.metric("trestle_route_queue_messages", route="jobs") == 0
    assert balanced(one)


def test_only_what_the_whole_template_takes(one, raw, sockets):
    """`video/+/uploaded` is wider than the template: what is not digits is the clients' alone."""
    worker = worker_of(one, sockets)
    one.wait_peers("jobs", 1)
    device = client_of(one, raw, None)
    assert device.publish("video/intro/uploaded", b"x", 1, packet_id=1) == 0x10
    client = client_of(one, raw)
    for i in range(10):
        assert device.publish("video/intro/uploaded", b"%d" % i, 1, packet_id=1) == 0
    assert take_all(client, 10) == list(range(10))
    assert receive(worker) == []


def test_when_nobody_can_take_it_jobs_wait(one, raw, sockets):
    device = client_of(one, raw, None)
    assert send(device, range(50)) == [0] * 50
    one.wait_metric(50, "trestle_route_queue_messages", route="jobs")
    worker = worker_of(one, sockets)
    got = []
    wait_until(lambda: got.extend(receive(worker)) or len(got) == 50, lambda: f"{got}")
    assert got == list(range(50))
    assert balanced(one)


def test_jobs_of_a_session_that_ends_may_go_to_a_worker(one, raw, sockets):
    """What a client has not acknowledged moves on [MQTT-4.8.2-5]; a worker takes it for good."""
    client = client_of(one, raw, props=b"\x21\x00\x05")
    device = client_of(one, raw, None)
    send(device, range(12))
    assert len(take(client, acknowledge=False)) == 5
    worker = worker_of(one, sockets)
    one.wait_peers("jobs", 1)
    client.socket.close()
    got = []
    wait_until(lambda: got.extend(receive(worker)) or len(got) == 12, lambda: f"{got}")
    assert sorted(got) == list(range(12))
    assert balanced(one)


def test_workers_that_acknowledge_take_part_while_they_are_free(gateway, raw, sockets):
    """A Majordomo worker has one job at a time; meanwhile all others are the client's."""
    one = gateway(endpoints={"jobs": {"socket": "router"}}, routes=[{**JOBS, "zmq": "encode"}])
    client, device = client_of(one, raw), client_of(one, raw, None)
    assert send(device, range(10)) == [0] * 10
    assert sorted(take_all(client, 10)) == list(range(10))
    worker = Worker(sockets(zmq.DEALER).context, one.address("jobs"), b"encode")
    got = []

    def shared():
        send(device, [100])
        got.extend(take(client))
        return one.metric("trestle_route_in_flight", route="jobs") == 1

    wait_until(shared, "the worker takes part")
    assert send(device, range(200, 220)) == [0] * 20
    assert sorted(take_all(client, 20, least=200)) == list(range(200, 220))
    assert int(worker.recv()[-1]) == 100
    worker.reply(b"done")
    one.wait_metric(1, "trestle_route_messages_total", route="jobs", outcome="acked")
    assert one.metric("trestle_route_matched_total", route="jobs") == 1
    assert balanced(one)


def test_however_many_routes_have_no_free_worker(gateway, raw, sockets):
    """Their endpoints have workers, of other services; the one client gets everything."""
    names = [f"jobs{i}" for i in range(8)]
    one = gateway(endpoints={name: {"socket": "router"} for name in names},
                  routes=[{**JOBS, "name": name, "zmq": "encode", "to": name} for name in names])
    context = sockets(zmq.DEALER).context
    others = [Worker(context, one.address(name), b"other") for name in names]
    for name in names:
        one.wait_metric(1, "trestle_zmq_workers", endpoint=name)
    client, device = client_of(one, raw), client_of(one, raw, None)
    assert send(device, range(40)) == [0] * 40
    assert sorted(take_all(client, 40)) == list(range(40)), f"{len(others)} of them have taken some"


def test_order_by_key_holds_nothing_up_that_a_client_can_take(gateway, raw, sockets):
    """While one job of a key is with a worker, another of it would wait for that, although there
    are idle workers."""
    one = gateway(endpoints={"jobs": {"socket": "router"}},
                  routes=[{**JOBS, "zmq": "encode", "key": "{id}"}])
    context = sockets(zmq.DEALER).context
    workers = [Worker(context, one.address("jobs"), b"encode") for _ in range(2)]
    one.wait_metric(2, "trestle_zmq_workers", endpoint="jobs")
    client, device = client_of(one, raw), client_of(one, raw, None)

    def shared():
        send(device, [7])
        take(client)
        return one.metric("trestle_route_in_flight", route="jobs") == 1

    wait_until(shared, "a worker takes part")
    assert send(device, [7] * 10) == [0] * 10
    assert take_all(client, 10) == [7] * 10
    assert one.metric("trestle_route_queue_messages", route="jobs") == 0
    wait_until(lambda: send(device, [8]) and (take(client) or True)
               and one.metric("trestle_route_in_flight", route="jobs") == 2, "another key")
    for worker in workers:
        assert worker.recv() is not None
        worker.acknowledge()
    wait_until(lambda: balanced(one), "the books")


def test_explain_prints_the_group(one):
    done = run_program("explain", "--config", one.config_file, "video/7/uploaded")
    assert done.returncode == 0, done.stderr
    assert GROUP in done.stdout and "encode.7" in done.stdout


def test_not_on_a_pub_endpoint(one, tmp_path):
    one.config["endpoints"]["jobs"]["socket"] = "pub"
    one.write_config()
    done = run_program("check", "--config", one.config_file)
    assert done.returncode == 2
    assert "routes[0].share" in done.stderr
