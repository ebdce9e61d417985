"""/metrics: the fixed names, the rules for names, and promtool's opinion."""

import re
import shutil
import subprocess
import urllib.request

import pytest
import zmq
from harness import join, route
from mqtt_bytes import PUBACK, ack

FIXED = {
    "trestle_build_info": set(),
    "trestle_connections": {"endpoint"},
    "trestle_sessions": {"state"},
    "trestle_messages_received_total": {"endpoint", "protocol", "qos"},
    "trestle_messages_sent_total": {"endpoint", "protocol", "qos"},
    "trestle_messages_dropped_total": {"endpoint", "reason"},
    "trestle_route_messages_total": {"route", "outcome"},
    "trestle_route_queue_messages": {"route"},
    "trestle_zmq_peers": {"endpoint"},
}
ALLOWED_LABELS = {"endpoint", "route", "protocol", "qos", "reason", "outcome", "state", "direction",
                  "shard", "version", "commit", "le", "result", "code", "kind", "name", "socket",
                  "quantile", "type", "event", "status", "packet", "format", "compiler"}


@pytest.fixture
def busy(gateway, raw, sockets):
    """A gateway through which messages went every way."""
    one = gateway(endpoints={"telemetry": {"socket": "pub"}, "jobs": {"socket": "push"},
                             "ingest": {"socket": "pull"}, "web": {"plugin": "websocket"}},
                  routes=[route("t", "t/{x}", "t.{x}", to="telemetry"),
                          route("j", "j/{x}", "j.{x}", to="jobs"),
                          route("i", "i/{x}", "i.{x}", source="ingest")])
    device, sub, push = raw(one.port), sockets(zmq.SUB), sockets(zmq.PUSH)
    sub.connect(one.address("telemetry"))
    push.connect(one.address("ingest"))
    device.connect()
    device.subscribe("i/#", qos=1)
    join(one, raw, sub, b"t.", probe="t/probe")
    device.publish("t/1", b"x", 1, packet_id=1)
    device.publish("j/1", b"x", 1, packet_id=2)
    push.send_multipart([b"i.1", b"x"])
    device.send(ack(PUBACK, device.expect_message().packet_id))
    device.ping()
    return one


def test_fixed_names_and_labels(busy):
    metrics = busy.metrics()
    for name, labels in FIXED.items():
        series = [dict(have) for n, have in metrics if n == name]
        assert series, f"{name} is missing"
        for have in series:
            assert labels <= set(have), f"{name} lacks {labels - set(have)}"
    assert metrics.value("trestle_connections", endpoint="devices") == 1
    assert metrics.value("trestle_messages_received_total", endpoint="devices", protocol="mqtt",
                         qos=1) == 2
    assert metrics.value("trestle_zmq_peers", endpoint="telemetry") == 1
    assert metrics.value("trestle_route_queue_messages", route="j") == 1


def test_rules_for_names(busy):
    text = busy.metrics_text()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    ours = {n: k for n, k in kinds.items() if n.startswith("trestle_")}
    assert ours and set(kinds) == set(ours), set(kinds) - set(ours)
    for name, kind in ours.items():
        assert helps.get(name), f"{name} has no help"
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
        assert not re.search(r"_(ms|millis|milliseconds|us|kib|mib)(_|$)", name), name
    for name, labels in busy.metrics():
        assert {k for k, _ in labels} <= ALLOWED_LABELS, (name, labels)


def test_no_topic_or_client_id_in_labels(busy, raw):
    client = raw(busy.port)
    client.connect("very-special-client")
    client.subscribe("very/special/topic")
    client.publish("very/special/topic", b"x")
    client.expect_message()
    assert "special" not in busy.metrics_text()


def test_promtool(busy):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", "check", "metrics"], input=busy.metrics_text(), text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0 and not (done.stdout + done.stderr).strip(), \
        done.stdout + done.stderr


def test_content_type(busy):
    with urllib.request.urlopen(busy.admin + "/metrics", timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert "version=0.0.4" in answer.headers["Content-Type"]
