"""What libzmq holds for one peer of a router is bounded in bytes, whatever that does not read."""

import sys

import pytest
import zmq
from harness import route
from support.gateway import ROOT
from support.majordomo import Client, Worker
from support.waiting import PATIENCE

sys.path.insert(0, str(ROOT / "plugins/zmq/examples"))
from native_worker import DELIVER, Worker as NativeWorker  # noqa: E402

MEBIBYTE = 1 << 20
LIMIT = 4 * MEBIBYTE
# Sockets on both sides hold some megabytes too; the rest of so many can only be with libzmq.
MANY = 40
WORK = route("work", "work/{id}", "encode", to="workers", queue={"max_bytes": 64 * MEBIBYTE})


@pytest.fixture(params=["tcp", "ipc"])
def start(request, gateway, tmp_path):
    def start_it(**options):
        where = {"bind": [f"ipc://{tmp_path}/workers"]} if request.param == "ipc" else {}
        return gateway(endpoints={"workers": {"socket": "router", "max_unsent_bytes": LIMIT,
                                              **where, **options}}, routes=[WORK])
    return start_it


def one_that_does_not_read(one, context):
    client = context.socket(zmq.DEALER)
    client.rcvhwm, client.rcvbuf, client.linger = 1, 4096, 0
    client.rcvtimeo = int(1000 * PATIENCE)
    client.connect(one.address("workers"))
    return client


def retain(one, raw, size):
    device = raw(one.port)
    device.connect()
    device.publish("big/one", b"x" * size, 1, packet_id=1, retain=True)
    return device


def left_out(one):
    return one.metric("trestle_messages_dropped_total", endpoint="workers",
                      reason="no_subscriber")


def test_answers_that_a_client_does_not_read(start, raw, context):
    one = start()
    retain(one, raw, MEBIBYTE)
    deaf = one_that_does_not_read(one, context)
    for _ in range(MANY):
        deaf.send_multipart([b"", b"MDPC01", b"mqtt.retained", b"big/#"])
    # Behind all these: a small answer, as there is room for such.
    deaf.send_multipart([b"", b"MDPC01", b"mqtt.retained", b"nothing"])
    other = Client(context, one.address("workers"))
    assert len(other.ask(b"mqtt.retained", b"big/#")[-1]) == MEBIBYTE
    came = []
    while not came or came[-1][3:] != [b"200", b""]:
        came.append(deaf.recv_multipart())
    answers = len(came) - 1
    assert LIMIT // MEBIBYTE - 1 <= answers <= MANY - 10
    one.wait_metric(MANY - answers, "trestle_messages_dropped_total", endpoint="workers",
                    reason="no_subscriber")
    # Who reads again is answered again.
    for _ in range(MANY):
        deaf.send_multipart([b"", b"MDPC01", b"mqtt.retained", b"big/#"])
        assert len(deaf.recv_multipart()[-1]) == MEBIBYTE
    assert left_out(one) == MANY - answers


def test_parts_come_as_fast_as_they_are_read(start, raw, context):
    """Nothing of a long answer is lost: it waits for room."""
    one = start()
    device = retain(one, raw, MEBIBYTE)
    for number in range(2, MANY + 1):
        device.publish(f"big/{number}", b"x" * MEBIBYTE, 1, packet_id=number, retain=True)
    client = one_that_does_not_read(one, context)
    client.send_multipart([b"MDPC02", b"\x01", b"mqtt.retained", b"big/#"])
    other = Client(context, one.address("workers"))
    assert other.ask(b"mmi.service", b"nobody") == [b"404"]
    parts = []
    while not parts or parts[-1][1] == b"\x02":
        parts.append(client.recv_multipart())
    assert parts[-1][1:] == [b"\x03", b"mqtt.retained", b"200"]
    assert len(parts) == MANY + 1
    assert left_out(one) == 0


def test_who_misses_a_part_gets_no_end(start, context):
    one = start()
    worker = Worker(context, one.address("workers"), b"encode", version=2, heartbeat=0.1)
    client = one_that_does_not_read(one, context)
    client.send_multipart([b"MDPC02", b"\x01", b"encode", b"go"])
    assert worker.recv() == [b"go"]
    for number in range(MANY):
        worker.partial(b"%06d" % number + b"x" * MEBIBYTE)
    worker.reply(b"the end")
    one.wait_metric(1, "trestle_zmq_requests_total", endpoint="workers", outcome="acked")
    client.send_multipart([b"MDPC02", b"\x01", b"mmi.service", b"nobody"])
    kept = []
    while not kept or kept[-1][2] != b"mmi.service":
        kept.append(client.recv_multipart())
    numbers = [int(frames[3][:6]) for frames in kept[:-1]]
    assert [frames[1] for frames in kept[:-1]] == [b"\x02"] * len(numbers)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) <= MANY - 10
    assert left_out(one) == MANY + 1 - len(numbers)


def test_a_worker_gets_more_as_it_reads(start, raw, context):
    """Jobs wait in the route's queue, and come as there is room: it need not say a word."""
    one = start(heartbeat_ms=600_000)
    worker = NativeWorker.__new__(NativeWorker)
    worker.socket = one_that_does_not_read(one, context)
    worker.socket.send_multipart([b"TRW1\x01" + (1000).to_bytes(4, "big"), b"encode"])
    device = raw(one.port)
    device.connect()
    for number in range(MANY):
        device.publish(f"work/{number}", b"x" * MEBIBYTE, 1, packet_id=number + 1)
    assert one.metric("trestle_route_queue_messages", route="work") >= 10
    came = 0
    while came < MANY:
        came += worker.socket.recv_multipart()[0][4] == DELIVER
    one.wait_metric(MANY, "trestle_route_in_flight", route="work")
    one.wait_metric(0, "trestle_route_queue_messages", route="work")


def test_jobs_go_to_who_has_room(start, raw, context):
    one = start(heartbeat_ms=600_000)
    deaf = one_that_does_not_read(one, context)
    deaf.send_multipart([b"TRW1\x01" + (1000).to_bytes(4, "big"), b"encode"])
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    device = raw(one.port)
    device.connect()
    for number in range(MANY):
        device.publish(f"work/{number}", b"x" * MEBIBYTE, 1, packet_id=number + 1)
    waiting = one.metric("trestle_route_queue_messages", route="work")
    assert waiting >= 10
    good = NativeWorker(context, one.address("workers"), b"encode", window=1000)
    good.socket.rcvtimeo = int(1000 * PATIENCE)
    for _ in range(int(waiting)):
        while good.socket.recv_multipart()[0][4] != DELIVER:
            pass
    one.wait_metric(0, "trestle_route_queue_messages", route="work")
    one.wait_metric(MANY, "trestle_route_in_flight", route="work")


def test_one_message_always_goes(start, raw, context):
    one = start(max_unsent_bytes=1024)
    retain(one, raw, MEBIBYTE)
    client = Client(context, one.address("workers"))
    for _ in range(3):
        assert len(client.ask(b"mqtt.retained", b"big/#")[-1]) == MEBIBYTE
