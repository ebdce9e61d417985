"""The documents of JSON over WebSocket are what happens: every conversation of PROTOCOL.md is
played, and asyncapi.json is held against the server, operation by operation and error by error."""

import json
import pathlib
import re

import jsonschema
import pytest
from harness import make_gateway, route
from mqtt_bytes import PUBACK, V5, text
from support.gateway import ROOT

FOLDER = pathlib.Path(ROOT, "plugins/websocket")
PROTOCOL = (FOLDER / "PROTOCOL.md").read_text()
ASYNCAPI = json.loads((FOLDER / "asyncapi.json").read_text())
CONVERSATIONS = re.findall(r"```conversation\n(.*?)```", PROTOCOL, re.DOTALL)
CODES = set(ASYNCAPI["components"]["schemas"]["error"]["properties"]["error"]["properties"]["code"]
            ["enum"])


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    full = {"max_messages": 1, "max_bytes": 1024, "block_ms": 50, "when_full": "block"}
    endpoints = {"web": {"plugin": "websocket", "json": {"max_subscriptions": 5}},
                 "jobs": {"socket": "push"}}
    routes = [route(mqtt="jobs/{x}", key="{x}", to="jobs", queue=full)]
    with make_gateway(tmp_path_factory.mktemp("docs"), 1, endpoints, routes) as one:
        yield one


@pytest.fixture
def client(web, open_json):
    return open_json(f"ws://127.0.0.1:{web.port_of('web')}/")


@pytest.fixture
def device(web, raw):
    one = raw(web.port, V5)
    one.connect()
    return one


def matches(expected, got):
    """Equal, where `...` in a string stands for anything."""
    if isinstance(expected, dict):
        return (isinstance(got, dict) and expected.keys() == got.keys()
                and all(matches(expected[key], got[key]) for key in expected))
    if isinstance(expected, str) and "..." in expected:
        return got.startswith(expected.split("...")[0])
    return expected == got and type(expected) is type(got)


def respond(device, payload):
    asked = device.expect_message()
    device.send(bytes([PUBACK << 4, 2]) + asked.packet_id.to_bytes(2, "big"))
    device.publish(asked.props[0x08].decode(), payload, props=b"\x09" + text(asked.props[0x09]))


@pytest.mark.parametrize("conversation", CONVERSATIONS,
                         ids=[re.search(r'"op":"(\w+)"', c).group(1) for c in CONVERSATIONS])
def test_conversations(client, device, conversation):
    pending = None
    for line in conversation.splitlines():
        if sent := re.fullmatch(r"-> (.*)", line):
            client.send(sent[1])
            if pending and '"op":"request"' in line:
                respond(device, pending)
                pending = None
        elif expected := re.fullmatch(r"<- (.*)", line):
            frame = client.receive()
            assert matches(json.loads(expected[1]), frame), (line, frame)
        elif said := re.fullmatch(r'device publishes "(.*)" to (\S+) at QoS 1', line):
            device.publish(said[2], said[1].encode(), 1, packet_id=1)
        elif said := re.fullmatch(r'device answers requests on (\S+) with "(.*)"', line):
            device.subscribe(said[1], qos=1)
            pending = said[2].encode()
        else:
            raise AssertionError(f"what does this line mean? {line}")
    client.done("ping")
    assert not client.kept


def test_the_errors_of_the_page_are_those_of_the_file():
    table = PROTOCOL.split("## Errors")[1].split("## How")[0]
    told = {code for line in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
            for code in re.findall(r"`(\w+)`", line)}
    assert told - {"max_errors"} == CODES


# --- AsyncAPI ---

def resolve(node):
    while "$ref" in node:
        path = node["$ref"].removeprefix("#/").split("/")
        node = ASYNCAPI
        for step in path:
            node = node[step]
    return node


def schema(name):
    """Of one message, so that its references into the file work."""
    return {"$ref": f"#/components/schemas/{name}", "components": ASYNCAPI["components"]}


def check(name, frame):
    jsonschema.validate(frame, schema(name), jsonschema.Draft7Validator)


def test_the_file_is_sound():
    assert ASYNCAPI["asyncapi"] == "3.0.0" and ASYNCAPI["info"]["version"]

    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                assert resolve(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(ASYNCAPI)
    for name, message in ASYNCAPI["components"]["messages"].items():
        jsonschema.Draft7Validator.check_schema(resolve(message["payload"]))
        for example in message["examples"]:
            check(name, example["payload"])
    for operation in ASYNCAPI["operations"].values():
        assert operation["action"] in ("send", "receive")
        for message in operation["messages"] + operation.get("reply", {}).get("messages", []):
            assert resolve(message)["payload"]


OPERATIONS = [name for name, operation in ASYNCAPI["operations"].items()
              if operation["action"] == "receive"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_answered_as_the_file_says(client, device, name):
    answer_name = ASYNCAPI["operations"][name]["reply"]["messages"][0]["$ref"].rsplit("/", 1)[1]
    for example in ASYNCAPI["components"]["messages"][name]["examples"]:
        frame = dict(example["payload"])
        if name == "ack":
            client.done("subscribe", filter="acked", qos=1, subscription_id=5)
            client.done("publish", topic="acked", payload="x", qos=1)
            message = client.message()
            check("message", message)
            frame = {**frame, "delivery": message["delivery"], "id": "ack"}
        if name == "request":
            device.subscribe(frame["topic"], qos=1)
        client.send(frame)
        if name == "request":
            respond(device, b"42")
        check(answer_name, client.answer(frame["id"]))
    client.done("subscribe", filter="seen")
    client.done("publish", topic="seen", payload="AP8=", encoding="base64")
    check("message", client.message())


# How each error is provoked. There is no ROUTER endpoint that could take a job to the dead letters.
PROVOKED = {
    "not_json": ["{"],
    "binary_frame": [b"{}"],
    "unknown_op": [{"op": "fly", "id": 1}],
    "bad_request": [{"op": "publish", "id": 1}],
    "topic_invalid": [{"op": "publish", "id": 1, "topic": "+"}],
    "filter_invalid": [{"op": "subscribe", "id": 1, "filter": "#/a"}],
    "payload_invalid": [{"op": "publish", "id": 1, "topic": "a", "payload": "?",
                         "encoding": "base64"}],
    "qos_not_supported": [{"op": "publish", "id": 1, "topic": "a", "qos": 2}],
    "not_authorized": [{"op": "publish", "id": 1, "topic": "$SYS/a"}],
    "unknown_delivery": [{"op": "ack", "id": 1, "delivery": 9}],
    "quota_exceeded": [{"op": "subscribe", "id": i, "filter": f"q/{i}"} for i in range(6)],
    "queue_full": [{"op": "publish", "id": i, "topic": "jobs/1", "qos": 1} for i in range(2)],
    "given_up": [{"op": "publish", "id": 1, "topic": "jobs/1", "qos": 1, "payload": "x" * 2000}],
    "no_subscriber": [{"op": "request", "id": 1, "topic": "nobody"}],
    "timed_out": [{"op": "subscribe", "id": 0, "filter": "mute"},
                  {"op": "request", "id": 1, "topic": "mute", "timeout_ms": 1}],
}


def test_every_error_has_a_way_to_provoke_it():
    assert set(PROVOKED) == CODES - {"dead_lettered"}


@pytest.mark.parametrize("code", PROVOKED)
def test_every_error_is_as_the_file_says(client, code):
    for frame in PROVOKED[code]:
        client.send(frame)
    while True:
        answer = client.receive()
        if answer.get("ok") is False:
            break
    check("error", answer)
    assert answer["error"]["code"] == code
