"""MQTT over WebSocket: paho, and raw frames cut anywhere."""

import asyncio

import pytest
import websockets
from harness import make_gateway
from mqtt_bytes import V5, V311, connect, disconnect, number, ping, publish, subscribe
from support.waiting import PATIENCE
from test_foreign_clients import paho_client

WEB = {"web": {"plugin": "websocket"}}


@pytest.fixture(scope="module")
def web(shards, tmp_path_factory):
    with make_gateway(tmp_path_factory.mktemp("web"), shards, endpoints=WEB) as one:
        yield one


def test_paho_hears_a_device(web, raw, version):
    browser, inbox = paho_client(web.port_of("web"), version, "browser", transport="websockets")
    device = raw(web.port, version)
    device.connect()
    browser.subscribe("live/#", 1)
    assert browser.events.get(timeout=PATIENCE) == "subscribed"
    for i in range(200):
        device.publish(f"live/{i % 4}", b"x" * (i * 40), 1, packet_id=i + 1)
    got = [inbox.get(timeout=PATIENCE) for _ in range(200)]
    assert [len(m.payload) for m in got] == [i * 40 for i in range(200)]
    device.subscribe("from/browser")
    browser.publish("from/browser", "hello", 1).wait_for_publish(PATIENCE)
    assert device.expect_message().payload == b"hello"
    browser.disconnect()
    browser.loop_stop()


def run(web, conversation, subprotocols=("mqtt",), path="/mqtt"):
    async def whole():
        uri = f"ws://127.0.0.1:{web.port_of('web')}{path}"
        async with websockets.connect(uri, subprotocols=list(subprotocols) or None,
                                      max_size=None) as socket:
            return await asyncio.wait_for(conversation(socket), PATIENCE)
    return asyncio.run(whole())


def session_bytes(version):
    """A whole conversation of one client, and what must come back."""
    sent = (connect(version, "ws") + subscribe(version, 1, "ws/+")
            + publish(version, "ws/a", b"x" * 300) + ping())
    props = b"\x00" if version == V5 else b""
    length = 2 + 4 + len(props) + 300
    delivery = b"\x30" + number(length) + b"\x00\x04ws/a" + props + b"x" * 300
    return sent, delivery


async def collect(socket, until):
    got = b""
    while not until(got):
        frame = await socket.recv()
        assert isinstance(frame, bytes), "the server sent text"  # [MQTT-6.0.0-1]
        got += frame
    return got


# 5.0 [MQTT-4.2.0-1] [MQTT-6.0.0-1, -2]
# 3.1.1 [MQTT-6.0.0-1, -2] [MQTT-7.1.1-1]
@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
def test_frames_cut_anywhere(web, version, size):
    """[MQTT-6.0.0-2]: packets need not be aligned with frames."""
    sent, delivery = session_bytes(version)

    async def conversation(socket):
        for at in range(0, len(sent), size):
            await socket.send(sent[at:at + size])
        got = await collect(socket, lambda b: b.endswith(b"\xd0\x00"))
        assert got[0] == 0x20
        assert delivery in got
        await socket.send(disconnect(version))
        await socket.wait_closed()

    run(web, conversation)


# 5.0 [MQTT-6.0.0-2]
# 3.1.1 [MQTT-6.0.0-2]
def test_fragmented_message_and_empty_frames(web):
    sent, delivery = session_bytes(V311)

    async def conversation(socket):
        await socket.send(b"")
        await socket.send([sent[:5], b"", sent[5:40], sent[40:]])  # one message of fragments
        got = await collect(socket, lambda b: b.endswith(b"\xd0\x00"))
        assert delivery in got

    run(web, conversation)


@pytest.mark.parametrize("client_id", ["a", "b", "c"])  # with three shards, not all at home there
def test_a_packet_that_takes_several_turns(web, version, client_id):
    """Its bytes wait in the WebSocket, or where the session lives."""
    count = 20_000
    filters = [f"turns/{client_id}/{i}" for i in range(count)]
    props = b"\x00" if version == V5 else b""

    async def conversation(socket):
        await socket.send(connect(version, f"turns {client_id}"))
        await collect(socket, lambda got: len(got) > 3 and len(got) == 2 + got[1])
        await socket.send(subscribe(version, 1, *filters) + publish(version, filters[-1], b"x")
                          + ping())
        return await collect(socket, lambda got: got.endswith(b"\xd0\x00"))
    body = b"\x00\x01" + props + bytes(count)
    message = b"".join([number(2 + len(filters[-1]) + len(props) + 1),
                        len(filters[-1]).to_bytes(2, "big"), filters[-1].encode(), props, b"x"])
    expected = b"\x90" + number(len(body)) + body + b"\x30" + message + b"\xd0\x00"
    assert run(web, conversation) == expected


def test_websocket_ping_is_answered(web):
    async def conversation(socket):
        await (await socket.ping(b"are you there"))

    run(web, conversation)


# 5.0 [MQTT-6.0.0-1]
# 3.1.1 [MQTT-6.0.0-1]
def test_text_frame_closes(web):
    """[MQTT-6.0.0-1]: the server closes when it gets anything but binary."""
    async def conversation(socket):
        await socket.send("text")
        await socket.wait_closed()
        assert socket.close_code not in (None, 1000)

    run(web, conversation)


def test_malformed_mqtt_closes(web):
    async def conversation(socket):
        await socket.send(connect(V5, "bad") + b"\x00\x00")
        got = await collect(socket, lambda b: b.endswith(b"\xe0\x01\x81") or b"\xe0" in b[4:])
        assert b"\x81" in got
        await socket.wait_closed()

    run(web, conversation)


# 5.0 [MQTT-6.0.0-3]
# 3.1.1 [MQTT-6.0.0-3]
@pytest.mark.parametrize("offer", [["graphql-ws"], ["chat", "xmpp"]], ids=["wrong", "several"])
def test_wrong_subprotocol_is_refused(web, offer):
    async def conversation(socket):
        raise AssertionError(f"accepted with subprotocol {socket.subprotocol}")

    with pytest.raises((websockets.exceptions.InvalidStatusCode,
                        websockets.exceptions.InvalidHandshake,
                        websockets.exceptions.ConnectionClosed)):
        run(web, conversation, offer)


# 5.0 [MQTT-6.0.0-4]
# 3.1.1 [MQTT-6.0.0-4]
def test_subprotocol_is_chosen_from_several(web):
    async def conversation(socket):
        assert socket.subprotocol == "mqtt"  # [MQTT-6.0.0-4]

    run(web, conversation, ["other", "mqtt"])


@pytest.mark.parametrize("path", ["/", "/mqtt", "/any/thing?x=1"])
def test_any_path(web, path):
    async def conversation(socket):
        assert socket.subprotocol == "mqtt"

    run(web, conversation, path=path)


def test_only_the_path_that_is_set(gateway, shards):
    one = gateway(endpoints={"web": {"plugin": "websocket", "path": "/mqtt"}})

    async def nothing(_):
        return True

    assert run(one, nothing, path="/mqtt")
    with pytest.raises(websockets.exceptions.InvalidStatusCode):
        run(one, nothing, path="/other")


@pytest.mark.parametrize("garbage", [
    b"\xff" * 100, b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["bytes", "no_host", "version", "no_key", "post", "long_path"])
def test_bad_handshake(web, raw, garbage):
    """Refused and closed; the endpoint goes on."""
    stranger = raw(web.port_of("web"))
    stranger.send(garbage)
    stranger.socket.settimeout(PATIENCE)
    answer = b""
    try:
        while data := stranger.socket.recv(65536):
            answer += data
            if b"\r\n\r\n" in answer:
                break
    except ConnectionResetError:
        pass
    assert b" 101 " not in answer

    async def works(socket):
        assert socket.subprotocol == "mqtt"

    run(web, works)
