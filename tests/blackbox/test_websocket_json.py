"""JSON over WebSocket: every operation, both ways, with clients of other protocols."""

import base64
import json

import pytest
from harness import make_gateway
from json_client import SUBPROTOCOL
from mqtt_bytes import V5, text

WEB = {"web": {"plugin": "websocket"}}


@pytest.fixture(scope="module")
def web(shards, tmp_path_factory):
    with make_gateway(tmp_path_factory.mktemp("json"), shards, endpoints=WEB) as one:
        yield one


@pytest.fixture
def client(web, open_json):
    def open_one(**options):
        return open_json(f"ws://127.0.0.1:{web.port_of('web')}/", **options)
    return open_one


@pytest.fixture
def device(web, raw):
    one = raw(web.port, V5)
    one.connect()
    return one


@pytest.mark.parametrize("subprotocols", [None, [SUBPROTOCOL], ["other", SUBPROTOCOL]],
                         ids=["none", "named", "several"])
def test_the_forms(client, device, subprotocols):
    """Literally as they are promised."""
    one = client(subprotocols=subprotocols)
    assert one.socket.subprotocol == (SUBPROTOCOL if subprotocols else None)
    one.send('{"op":"subscribe","id":1,"filter":"forms/#","qos":1}')
    assert one.receive() == {"id": 1, "ok": True, "qos": 1}
    device.subscribe("to-device/#")
    one.send('{"op":"publish","id":2,"topic":"to-device/2","payload":{"t":1},"encoding":"json",'
             '"qos":1,"retain":false}')
    assert one.receive() == {"id": 2, "ok": True}
    assert device.expect_message().payload == b'{"t":1}'
    device.publish("forms/1", b"hello", 1, packet_id=9)
    frame = one.receive()
    assert isinstance(frame.pop("delivery"), int)
    assert frame == {"op": "message", "topic": "forms/1", "payload": "hello", "encoding": "utf8",
                     "qos": 1, "retain": False, "properties": {}}
    one.send('{"op":"nonsense","id":3}')
    answer = one.receive()
    assert answer.pop("error")["code"] == "unknown_op"
    assert answer == {"id": 3, "ok": False}
    one.send("not json")
    answer = one.receive()
    assert answer.pop("error")["code"] == "not_json"
    assert answer == {"id": None, "ok": False}
    one.done("ping")


@pytest.mark.parametrize("payload, encoding, got", [
    ("caf\u00e9 \"x\" \u0000\n", "utf8", "caf\u00e9 \"x\" \u0000\n".encode()),
    ("AAH/", "base64", b"\x00\x01\xff"),
    ({"b": [1, 2.50, {"a": None}], "a": 1e3}, "json", None),
    ("text", "json", b'"text"'), (None, "json", b"null"), ("", "utf8", b"")],
    ids=["text", "bytes", "object", "string", "null", "empty"])
def test_payloads(client, payload, encoding, got):
    one = client()
    one.done("subscribe", filter="payloads/+")
    one.done("publish", topic="payloads/1", payload=payload, encoding=encoding)
    message = one.message()
    assert "delivery" not in message and message["qos"] == 0
    back = (message["payload"].encode() if message["encoding"] == "utf8"
            else base64.b64decode(message["payload"]))
    if got is None:
        assert json.loads(back) == payload
    else:
        assert back == got
    assert (message["encoding"] == "base64") == (got == b"\x00\x01\xff")


def test_json_payloads_keep_their_digits_and_order(client):
    one = client()
    one.done("subscribe", filter="digits")
    written = '{"z":123456789012345678901234567890,"a":[1.10,-0.0,-0,1E2,1e400],"k\\"":{}}'
    one.send('{"op":"publish","id":"x","topic":"digits","encoding":"json","payload": %s }'
             % written)
    assert one.answer("x")["ok"]
    assert one.message()["payload"] == written


def test_properties_both_ways(client):
    properties = {"content_type": "text/plain", "response_topic": "r/1",
                  "correlation_data": base64.b64encode(b"\x00id").decode(), "payload_format": 1,
                  "user_properties": [["k", "1"], ["k", "2"]], "message_expiry": 60}
    one = client()
    one.done("subscribe", filter="properties", qos=1, subscription_id=7)
    one.done("publish", topic="properties", payload="x", properties=properties, qos=1)
    message = one.message()
    assert message["properties"] in (properties, {**properties, "message_expiry": 59})
    assert message["subscription_ids"] == [7]


def test_retained_options_and_no_local(client, device):
    device.publish("kept/1", b"old", 1, retain=True, packet_id=1)
    one = client()
    one.done("subscribe", filter="kept/#", no_local=True)
    assert one.message()["retain"] is True
    one.done("publish", topic="kept/2", payload="mine", retain=True)
    two = client()
    two.done("subscribe", filter="kept/2", retain_as_published=True)
    assert two.message()["payload"] == "mine"
    two.done("subscribe", filter="kept/2", retain_handling=1,  # known: nothing comes again
             retain_as_published=True)
    two.done("publish", topic="kept/2", payload="", retain=True)
    assert two.message()["retain"] is True
    assert one.message()["payload"] == ""
    one.done("unsubscribe", filter="kept/#")
    two.done("publish", topic="kept/1", payload="", retain=True)
    one.done("ping")
    assert not one.kept


def test_acks_open_the_window(gateway, open_json, raw):
    small = gateway(endpoints={"web": {"plugin": "websocket", "json": {"max_inflight": 2}}})
    one = open_json(f"ws://127.0.0.1:{small.port_of('web')}/")
    one.done("subscribe", filter="w/#", qos=2)
    for i in range(4):
        one.done("publish", topic=f"w/{i}", payload=str(i), qos=1)
    first, second = one.message(), one.message()
    one.done("ping")
    assert not one.kept, "the window is not kept"
    one.send({"op": "ack", "delivery": second["delivery"]})
    third = one.message()
    assert third["payload"] == "2"
    assert one.error("ack", delivery=second["delivery"]) == "unknown_delivery"
    one.send({"op": "ack", "delivery": 60000})
    assert one.receive()["id"] is None
    one.done("ack", delivery=first["delivery"])
    small.wait_metric(2, "trestle_session_messages_total", endpoint="web", outcome="acked")
    one.close()
    small.wait_metric(0, "trestle_connections", endpoint="web")
    left = small.metrics()
    name = "trestle_session_messages_total"
    assert left.value("trestle_session_matched_total", endpoint="web") == 4
    assert left.value("trestle_messages_dropped_total", endpoint="web",
                      reason="session_ended") == 2
    assert left.value(name, endpoint="web", outcome="dropped") == 2
    assert left.value("trestle_messages_received_total", endpoint="web", protocol="json",
                      qos="1") == 4
    assert left.value("trestle_messages_sent_total", endpoint="web", protocol="json", qos="1") == 4


def test_shared_subscriptions(client, device):
    both = [client(), client()]
    for one in both:
        one.done("subscribe", filter="$share/g/jobs/+", qos=1)
    for i in range(10):
        device.publish(f"jobs/{i}", str(i).encode(), 1, packet_id=i + 1)
    got = []
    for one in both:
        for _ in range(5):
            message = one.message()
            one.done("ack", delivery=message["delivery"])
            got.append(message["payload"])
    assert sorted(got) == [str(i) for i in range(10)]
    assert both[0].error("subscribe", filter="$share/g/x", no_local=True) == "bad_request"


def test_what_is_not_acknowledged_goes_to_another_member(client, device):
    lost, other = client(), client()
    lost.done("subscribe", filter="$share/g2/once", qos=1)
    device.publish("once", b"job", 1, packet_id=1)
    lost.message()
    other.done("subscribe", filter="$share/g2/once", qos=1)
    lost.close()
    assert other.message()["payload"] == "job"


def test_request_and_response(client, device):
    """The device answers as MQTT 5 says; the client sees one answer."""
    device.subscribe("ask/+")
    one = client()
    one.send({"op": "request", "id": "r", "topic": "ask/1", "payload": "how much?"})
    asked = device.expect_message()
    assert asked.payload == b"how much?"
    # 0x08 Response Topic and 0x09 Correlation Data, as the wire has them.
    topic, data = asked.props[0x08], asked.props[0x09]
    topic = topic.decode()
    assert topic.startswith("$response/json-")
    correlation = b"\x09" + text(data)
    device.publish(topic, b"42", 1, packet_id=5, props=correlation)
    answer = one.answer("r")
    assert answer == {"id": "r", "ok": True, "topic": topic, "payload": "42", "encoding": "utf8",
                      "qos": 1, "retain": False, "properties": answer["properties"]}
    # A second response has nobody who waits for it; it is counted, and the client is not told.
    device.publish(topic, b"43", 1, packet_id=6, props=correlation)
    one.done("ping")
    assert not one.kept


def test_requests_that_nobody_answers(client, device):
    one = client()
    assert one.error("request", topic="nobody/there", payload="?") == "no_subscriber"
    device.subscribe("silent")
    assert one.error("request", topic="silent", payload="?", timeout_ms=50) == "timed_out"
    assert one.error("request", topic="silent", properties={"response_topic": "x"}) == "bad_request"
    assert one.error("request", topic="silent", retain=True) == "bad_request"


BAD = [
    ({"op": "publish", "id": 1, "topic": "a/#"}, "topic_invalid"),
    ({"op": "publish", "id": 1, "topic": ""}, "topic_invalid"),
    ({"op": "publish", "id": 1, "topic": "a\u0000"}, "topic_invalid"),
    ({"op": "publish", "id": 1}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "payload": "?", "encoding": "base64"},
     "payload_invalid"),
    ({"op": "publish", "id": 1, "topic": "a", "payload": 1, "encoding": "utf8"}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "payload": "", "encoding": "hex"}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "qos": 3}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "qos": "1"}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "retain": 1}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "qos": 2}, "qos_not_supported"),
    ({"op": "publish", "id": 1, "topic": "$SYS/x"}, "not_authorized"),
    ({"op": "publish", "id": 1, "topic": "/" * 200}, "topic_invalid"),
    ({"op": "publish", "id": 1, "topic": "a", "properties": {"color": "red"}}, "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "properties": {"response_topic": "+"}},
     "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "properties": {"user_properties": {"a": "b"}}},
     "bad_request"),
    ({"op": "publish", "id": 1, "topic": "a", "properties": []}, "bad_request"),
    ('{"op":"publish","id":1,"topic":"a","properties":{"payload_format":1,"payload_format":1}}',
     "bad_request"),
    ('{"op":"ping","op":"ping","id":1}', "bad_request"),
    ('{"op":"ping","id":1,"id":2}', "bad_request"),
    ('{"op":"publish","topic":"deep","encoding":"json","payload":%s,"id":1}'
     % ("[" * 100_000 + "]" * 100_000), "bad_request"),
    ('{%s,"op":"ping","id":1}' % ",".join(f'"k{i}":1' for i in range(100)), "bad_request"),
    ({"op": "subscribe", "id": 1, "filter": "a/#/b"}, "filter_invalid"),
    ({"op": "subscribe", "id": 1, "filter": "$share/g"}, "filter_invalid"),
    ({"op": "subscribe", "id": 1, "filter": "/" * 200}, "filter_invalid"),
    ({"op": "subscribe", "id": 1, "topic": "a"}, "bad_request"),
    ({"op": "subscribe", "id": 1, "filter": "a", "subscription_id": 0}, "bad_request"),
    ({"op": "ack", "id": 1}, "bad_request"),
    ({"op": "ack", "id": 1, "delivery": 1}, "unknown_delivery"),
    ({"op": 7, "id": 1}, "bad_request"),
    ({"op": "Ping", "id": 1}, "unknown_op"),
    ({"op": "request", "id": 1, "topic": "a", "timeout_ms": 0}, "bad_request"),
]
WITHOUT_ID = [
    ('{"op":"ping"}', "bad_request"), ('{"op":"ping","id":null}', "bad_request"),
    ('{"op":"ping","id":{}}', "bad_request"), ('{"op":"ping","id":"%s"}' % ("x" * 300),
                                              "bad_request"),
    ("[]", "bad_request"), ("7", "bad_request"), ('"ping"', "bad_request"), ("", "not_json"),
    ('{"op":"ping","id":1', "not_json"), ('{"op":"ping","id":1}}', "not_json"),
    ("\u00e9", "not_json"), ('{"id":1,"op":"\\ud800"}', "not_json"),
    ('{"op":"ping","id":"\\ud83d"}', "not_json"), ('{"op":"ping","id":1}\0{garbage', "not_json"),
    ('\ufeff{"op":"ping","id":1}', "not_json"), (b'{"op":"ping","id":1}', "binary_frame"),
]


def test_every_error_is_told_and_the_connection_stays(web, client):
    name = "trestle_websocket_error_answers_total"
    before = web.metric(name, endpoint="web", reason="bad_request")
    one = client()
    for frame, code in BAD:
        one.send(frame)
        answer = one.receive()
        assert answer["id"] == 1 and answer["error"]["code"] == code, (frame, answer)
    for frame, code in WITHOUT_ID:
        one.send(frame)
        answer = one.receive()
        assert answer["id"] is None and answer["error"]["code"] == code, (frame, answer)
    one.done("ping")
    told = sum(code == "bad_request" for _, code in BAD + WITHOUT_ID)
    assert web.metric(name, endpoint="web", reason="bad_request") == before + told


def test_too_many_errors_close(gateway, open_json):
    strict = gateway(endpoints={"web": {"plugin": "websocket", "json": {"max_errors": 3}}})
    one = open_json(f"ws://127.0.0.1:{strict.port_of('web')}/")
    for _ in range(3):
        one.send("{")
        one.done("ping") if len(one.kept) < 2 else None
    assert [json.loads(text)["error"]["code"] for text in one.kept] == ["not_json"] * 2
    assert one.wait_closed() == 1008
    strict.wait_metric(1, "trestle_protocol_errors_total", endpoint="web", protocol="json")
