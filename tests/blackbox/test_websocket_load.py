"""JSON over WebSocket under pressure: full routes, slow readers, compression, large messages,
cut connections, the end of the server; and the books afterwards."""

import json
import urllib.request

import pytest
import websockets
import zmq
from harness import route
from mqtt_bytes import V5
from slow_reader import SlowReader, flood
from support.waiting import wait_until


@pytest.fixture
def web(gateway):
    """A function that starts a gateway with these options of JSON clients."""
    def start(more=None, routes=(), **options):
        entry = {"plugin": "websocket", "json": options}
        return gateway(endpoints={"web": entry, **(more or {})}, routes=list(routes))
    return start


def url(gateway, path="/"):
    return f"ws://127.0.0.1:{gateway.port_of('web')}{path}"


def books(gateway):
    """matched, and the sum of all fates."""
    name = "trestle_session_messages_total"
    seen = gateway.metrics()
    ends = sum(seen.value(name, endpoint="web", outcome=outcome)
               for outcome in ("sent", "acked", "refused", "dropped"))
    held = (seen.value("trestle_session_queue_messages", endpoint="web")
            + seen.value("trestle_session_in_flight", endpoint="web"))
    return seen.value("trestle_session_matched_total", endpoint="web"), ends + held


def balanced(gateway):
    matched, ended = books(gateway)
    return matched == ended > 0


def test_a_full_route_withholds_the_answer(web, open_json, sockets):
    full = {"name": "r", "queue": {"max_messages": 2, "block_ms": 60_000, "when_full": "block"}}
    one = web({"jobs": {"socket": "push"}},
              [route(mqtt="jobs/{x}", key="{x}", to="jobs", **full)], max_pending_publishes=4)
    client = open_json(url(one))
    for i in range(10):
        client.send({"op": "publish", "id": i, "topic": f"jobs/{i}", "payload": "x", "qos": 1})
    # Two are queued; four wait, and then nothing more is read: not even this.
    assert [client.receive()["id"] for _ in range(2)] == [0, 1]
    client.send({"op": "ping", "id": "after"})
    one.wait_metric(6, "trestle_route_queue_messages", route="r")
    assert one.metric("trestle_messages_received_total", endpoint="web", protocol="json",
                      qos="1") == 6
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    assert [worker.recv_multipart()[0] for _ in range(10)] == [b"%d" % i for i in range(10)]
    # The ping is answered when it is read, a publish when its outcome is known on its shard.
    assert {client.receive()["id"] for _ in range(9)} == {*range(2, 10), "after"}


def test_a_route_that_stays_full_is_told(web, open_json):
    full = {"name": "r", "queue": {"max_messages": 1, "block_ms": 50, "when_full": "block"}}
    one = web({"jobs": {"socket": "push"}}, [route(mqtt="jobs/{x}", key="{x}", to="jobs", **full)])
    client = open_json(url(one))
    client.done("publish", topic="jobs/1", payload="x", qos=1)
    assert client.error("publish", topic="jobs/2", payload="x", qos=1) == "queue_full"
    assert client.error("request", topic="jobs/3", payload="x") == "queue_full"
    one.wait_metric(2, "trestle_route_messages_total", route="r", outcome="refused")


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "disconnect"])
def test_slow_readers(web, raw, policy):
    one = web(when_full=policy, max_queued_messages=2, max_write_buffer=65536)
    slow = SlowReader(one, [{"op": "subscribe", "id": 1, "filter": "flood/#"}])
    one.wait_metric(1, "trestle_subscriptions")
    flood(one, raw)  # is not held up by it
    one.wait_metric(lambda n: n > 0, "trestle_messages_dropped_total", endpoint="web",
                    reason="queue_full")
    gone = policy == "disconnect"
    if gone:
        one.wait_metric(0, "trestle_connections", endpoint="web")
        one.wait_metric(0, "trestle_subscriptions")
    assert one.metric("trestle_websocket_slow_readers_total", endpoint="web") == gone
    wait_until(lambda: balanced(one), lambda: f"the books: {books(one)}")
    slow.socket.close()
    one.wait_metric(0, "trestle_connections", endpoint="web")


def test_a_reader_that_takes_nothing_at_all_is_cut(gateway, raw):
    one = gateway(endpoints={"web": {"plugin": "websocket", "ping_interval_ms": 200,
                                     "json": {"max_write_buffer": 4096}}})
    slow = SlowReader(one, [{"op": "subscribe", "id": 1, "filter": "flood/#"}])
    one.wait_metric(1, "trestle_subscriptions")
    flood(one, raw, 8)
    one.wait_metric(1, "trestle_websocket_protocol_errors_total", endpoint="web", reason="no_pong")
    one.wait_metric(0, "trestle_connections", endpoint="web")
    wait_until(lambda: balanced(one), lambda: f"the books: {books(one)}")
    slow.socket.close()


def test_answers_that_nobody_reads_stop_the_reading(web):
    one = web(max_write_buffer=4096)
    slow = SlowReader(one, [])
    ping = json.dumps({"op": "ping", "id": "x" * 50}).encode()
    frame = bytes([0x81, 0x80 | len(ping)]) + b"\0\0\0\0" + ping
    slow.socket.settimeout(2)
    with pytest.raises(TimeoutError):  # our sends fill up, and the server's memory does not
        while True:
            slow.socket.sendall(frame * 10_000)
    slow.socket.close()
    one.wait_metric(0, "trestle_connections", endpoint="web")


def test_a_flood_does_not_keep_a_client_from_being_heard(web, raw):
    one = web(max_write_buffer=4096)
    slow = SlowReader(one, [{"op": "subscribe", "id": 0, "filter": "flood/#"}], 1 << 18)
    one.wait_metric(1, "trestle_subscriptions")
    flood(one, raw, 40).publish("flood/last", b"last", 1, packet_id=100)
    slow.send([{"op": "ping", "id": id} for id in (1, 2)])
    seen = []
    while True:
        frame = json.loads(slow.frame()[1])
        if frame.get("topic") == "flood/last":
            break
        seen.append(frame.get("id"))
    assert [id for id in seen if id is not None] == [0, 1, 2]
    slow.socket.close()


def test_a_client_that_says_goodbye_is_sent_nothing_more(web, raw):
    one = web()
    leaving = SlowReader(one, [{"op": "subscribe", "id": 1, "filter": "x"}])
    assert json.loads(leaving.frame()[1])["ok"]
    leaving.socket.sendall(bytes([0x88, 0x82]) + b"\0\0\0\0" + (1000).to_bytes(2, "big"))
    assert leaving.frame() == (8, (1000).to_bytes(2, "big"))
    device = raw(one.port, V5)
    device.connect()
    device.publish("x", b"late", 1, packet_id=1)
    assert one.metric("trestle_session_matched_total", endpoint="web") == 0
    leaving.socket.close()


def test_compression(web, open_json):
    one = web(deflate=True)
    client = open_json(url(one), compression="deflate")
    assert [e.name for e in client.socket.extensions] == ["permessage-deflate"]
    client.done("subscribe", filter="big", qos=1)
    text = "".join(f"{i} " for i in range(100_000))
    client.done("publish", topic="big", payload=text)
    assert client.message()["payload"] == text
    plain = open_json(url(one))
    assert not plain.socket.extensions
    plain.done("ping")


def test_compression_is_off_unless_asked_for(web, open_json):
    assert not open_json(url(web()), compression="deflate").socket.extensions


def test_large_messages_and_the_limit(web, open_json):
    one = web(max_message_size=4_000_000)
    client = open_json(url(one))
    client.done("subscribe", filter="large")
    client.done("publish", topic="large", payload="x" * 3_900_000)
    assert client.message()["payload"] == "x" * 3_900_000
    client.send('{"op":"publish","id":1,"topic":"large","payload":"%s"}' % ("x" * 4_000_000))
    assert client.wait_closed() == 1009
    one.wait_metric(1, "trestle_websocket_protocol_errors_total", endpoint="web",
                    reason="too_large")


def test_topic_levels(web, open_json):
    client = open_json(url(web(max_topic_levels=3)))
    for front in ("", "$share/g/"):
        client.done("subscribe", filter=front + "a/b/c")
        assert client.error("subscribe", filter=front + "a/b/c/d") == "filter_invalid"


def test_limits_of_one_client(web, open_json, raw):
    one = web(max_subscriptions=1, max_pending_requests=1, refuse_filters=["secret/#"])
    client = open_json(url(one))
    client.done("subscribe", filter="a")
    client.done("subscribe", filter="a", qos=1)  # again is not one more
    assert client.error("subscribe", filter="b") == "quota_exceeded"
    client.done("unsubscribe", filter="a")
    assert client.error("subscribe", filter="secret/x") == "not_authorized"
    assert client.error("subscribe", filter="$share/g/secret/x") == "not_authorized"
    device = raw(one.port, V5)
    device.connect()
    device.subscribe("silent")
    client.send({"op": "request", "id": "first", "topic": "silent"})
    assert client.error("request", topic="silent") == "quota_exceeded"


def test_refused_subscriptions_are_counted(web, open_json):
    one = web(max_subscriptions=3, max_shared_subscriptions=1, max_subscription_bytes=4000,
              refuse_filters=["secret/#"], max_topic_levels=15)
    client = open_json(url(one))
    for filter in "a", "$share/1/b", "a":
        client.done("subscribe", filter=filter)
    for filter in "secret/1", "$share/2/b", "a/#/b", "x/" * 15 + "x", "y" * 4000:
        client.error("subscribe", filter=filter)
    client.done("subscribe", filter="c")
    client.error("subscribe", filter="d")
    client.error("unsubscribe", filter="a/#/b")
    name = "trestle_subscriptions_refused_total"
    seen = one.metrics()
    assert {reason: seen.value(name, endpoint="web", reason=reason) for reason in (
        "max_subscriptions", "max_shared_subscriptions", "max_subscription_bytes",
        "refuse_filters", "filter")} == {
            "max_subscriptions": 1, "max_shared_subscriptions": 1, "max_subscription_bytes": 1,
            "refuse_filters": 1, "filter": 2}


def test_shared_subscriptions_of_one_client(web, open_json):
    client = open_json(url(web(max_shared_subscriptions=1)))
    client.done("subscribe", filter="$share/1/a")
    assert client.error("subscribe", filter="$share/2/a") == "quota_exceeded"
    client.done("subscribe", filter="a")
    client.done("unsubscribe", filter="$share/1/a")
    client.done("subscribe", filter="$share/2/a")


def test_bytes_of_one_clients_filters(web, open_json):
    client = open_json(url(web(max_subscription_bytes=1024)))
    client.done("subscribe", filter="a/b/c/+/e")
    assert client.error("subscribe", filter="b/+") == "quota_exceeded"
    client.done("unsubscribe", filter="a/b/c/+/e")
    client.done("subscribe", filter="b/+")


def test_origins(gateway, open_json):
    one = gateway(endpoints={"web": {"plugin": "websocket",
                                     "allowed_origins": ["https://good.example"]}})
    open_json(url(one), origin="https://good.example").done("ping")
    open_json(url(one)).done("ping")
    with pytest.raises(websockets.exceptions.InvalidStatusCode, match="403"):
        open_json(url(one), origin="https://bad.example")


def test_the_servers_end_is_told(web, open_json, raw):
    one = web()
    client = open_json(url(one))
    client.done("subscribe", filter="x", qos=1)
    client.done("publish", topic="x", payload="1", qos=1)
    client.message()
    one.stop()
    assert client.wait_closed() == 1001


def test_an_operator_ends_a_connection(web, open_json):
    one = web()
    client = open_json(url(one))
    client.done("ping")
    clients = f"{one.admin}/api/v1/clients"
    with urllib.request.urlopen(clients) as answer:
        (seen,) = json.load(answer)["items"]
    assert (seen["endpoint"], seen["protocol"]) == ("web", "JSON over WebSocket")
    assert seen["address"].startswith("127.0.0.1:")
    order = urllib.request.Request(f"{clients}/{seen['client_id']}", method="DELETE")
    with urllib.request.urlopen(order) as answer:
        assert answer.status == 204
    assert client.wait_closed() == 1008
    assert client.socket.close_reason == "an operator has ended the connection"


def test_cut_connections_leave_nothing(web, open_json, raw):
    one = web()
    device = raw(one.port, V5)
    device.connect()
    for i in range(5):
        client = open_json(url(one))
        client.done("subscribe", filter="cut/#", qos=1)
        client.send({"op": "request", "id": 1, "topic": "cut/request"})
        device.publish("cut/x", b"x", 1, packet_id=i + 1)
        client.loop.call_soon_threadsafe(client.socket.transport.abort)
    one.wait_metric(0, "trestle_connections", endpoint="web")
    one.wait_metric(0, "trestle_subscriptions")
    wait_until(lambda: balanced(one), lambda: f"the books: {books(one)}")
