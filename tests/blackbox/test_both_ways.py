"""Rules that map both ways: nothing goes back to where it came from."""

import zmq
from harness import join, route

BOTH = route("chat", "chat/{room}/{who}", "chat.{room}.{who}", to="out", source="ingest")


def test_there_and_back(gateway, raw, sockets):
    one = gateway(endpoints={"out": {"socket": "pub"}, "ingest": {"socket": "pull"}}, routes=[BOTH])
    sub, push, client = sockets(zmq.SUB), sockets(zmq.PUSH), raw(one.port)
    sub.connect(one.address("out"))
    push.connect(one.address("ingest"))
    client.connect()
    client.subscribe("chat/#")
    join(one, raw, sub, b"chat.", probe="chat/r/probe")
    while sub.poll(0):
        sub.recv_multipart()
    client.publish("chat/r/me", b"from mqtt")
    assert sub.recv_multipart() == [b"chat.r.me", b"from mqtt"]
    push.send_multipart([b"chat.r.you", b"from zmq"])
    while (got := client.expect_message()).payload != b"from zmq":
        pass
    assert got.topic == "chat/r/you"


def test_no_loop_between_two_endpoints(gateway, raw, sockets):
    """What came in by one endpoint goes out by the other once, and is published once."""
    one = gateway(endpoints={"out": {"socket": "push"}, "ingest": {"socket": "pull"}},
                  routes=[BOTH])
    pull, push, client = sockets(zmq.PULL), sockets(zmq.PUSH), raw(one.port)
    pull.connect(one.address("out"))
    push.connect(one.address("ingest"))
    client.connect()
    client.subscribe("chat/#", "end")
    push.send_multipart([b"chat.r.a", b"1"])
    assert client.expect_message().payload == b"1"
    assert pull.recv_multipart() == [b"chat.r.a", b"1"]
    client.publish("end", b"")
    assert client.expect_message().topic == "end"
    assert one.metric("trestle_route_matched_total", route="chat") == 1


def test_a_gateway_connected_to_itself_does_not_run_hot(gateway, raw, sockets, ports):
    """PUB bound here, SUB connected to it: the echo is published once more, not for ever."""
    (port,) = ports(1)
    address = f"tcp://127.0.0.1:{port}"
    one = gateway(endpoints={"out": {"socket": "pub", "bind": [address]},
                             "back": {"socket": "sub", "connect": [address]}},
                  routes=[route("there", "loop/{x}", "loop.{x}", to="out"),
                          route("here", "echo/{x}", "loop.{x}", source="back")])
    client = raw(one.port)
    client.connect()
    client.subscribe("echo/#", "loop/#", "end")
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    client.publish("loop/1", b"x")
    topics = sorted(client.expect_message().topic for _ in range(2))
    assert topics == ["echo/1", "loop/1"]
    client.publish("end", b"")
    assert client.expect_message().topic == "end"


def test_many_endpoints_of_each_kind(gateway, raw, sockets):
    kinds = {f"{kind}{i}": {"socket": kind} for kind in ("push", "pull") for i in range(3)}
    one = gateway(endpoints=kinds, routes=[
        *(route(f"o{i}", f"o{i}/{{x}}", "k.{x}", to=f"push{i}") for i in range(3)),
        *(route(f"i{i}", f"i{i}/{{x}}", "k.{x}", source=f"pull{i}") for i in range(3))])
    client = raw(one.port)
    client.connect()
    client.subscribe("i0/+", "i1/+", "i2/+")
    for i in range(3):
        pull, push = sockets(zmq.PULL), sockets(zmq.PUSH)
        pull.connect(one.address(f"push{i}"))
        push.connect(one.address(f"pull{i}"))
        client.publish(f"o{i}/a", b"out%d" % i)
        assert pull.recv_multipart() == [b"k.a", b"out%d" % i]
        push.send_multipart([b"k.b", b"in%d" % i])
        got = client.expect_message()
        assert (got.topic, got.payload) == (f"i{i}/b", b"in%d" % i)
