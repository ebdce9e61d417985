"""The image as it is run: small, shut in, healthy, drained at its end, and plain about what it
lacks."""

import json
import re
import socket
import subprocess

import pytest
import zmq
from support.waiting import PATIENCE, free_ports, wait_until

SHUT_IN = ["--read-only", "--tmpfs", "/tmp", "--cap-drop=ALL",
           "--security-opt", "no-new-privileges", "--pids-limit=200", "--memory=256m",
           "--network=host"]
# MQTT 5.0, a clean start, keep alive of a minute, no client id.
CONNECT = bytes.fromhex("100d 0004 4d515454 05 02 003c 00 0000")
PLACES = {"devices": "mqtt://127.0.0.1:{}", "web": "ws://127.0.0.1:{}",
          "telemetry": "tcp://127.0.0.1:{}", "jobs": "tcp://127.0.0.1:{}",
          "workers": "tcp://127.0.0.1:{}", "ingest": "tcp://127.0.0.1:{}"}


@pytest.fixture
def ports():
    """The image's own ports may be taken on this machine: each endpoint is moved by environment."""
    return dict(zip([*PLACES, "admin", "probes"], free_ports(len(PLACES) + 2)))


@pytest.fixture
def moved(ports):
    """Options of `docker run` for that."""
    values = {}
    for endpoint, form in PLACES.items():
        kind = "listen" if form.startswith(("mqtt", "ws")) else "bind"
        values[f"TRESTLE__endpoints__{endpoint}__{kind}__0"] = form.format(ports[endpoint])
    values["TRESTLE__admin__listen"] = f"http://127.0.0.1:{ports['admin']}"
    values["TRESTLE__admin__probe_listen"] = f"http://127.0.0.1:{ports['probes']}"
    return [word for name, value in values.items() for word in ("-e", f"{name}={value}")]


@pytest.fixture
def running(engine, image, moved):
    with engine.container(image, options=[*SHUT_IN, *moved]) as one:
        one.wait_healthy()
        yield one


def publish(port, topic, payload):
    subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", "-t", topic, "-m", payload],
                   check=True, timeout=PATIENCE)


def test_size_on_top_of_the_base(engine, image):
    added = engine.size(image) - engine.size("debian:bookworm-slim")
    assert added < 60e6, f"{added / 1e6:.0f} MB"


def test_labels_version_and_settings(engine, image):
    config = json.loads(engine.run("image", "inspect", "-f", "{{json .Config}}", image).stdout)
    version = engine.run("run", "--rm", "--network=none", image, "--version").stdout
    found = re.match(r"trestle (\S+) \(commit (\w+)\)", version)
    labels = config["Labels"]
    assert labels["org.opencontainers.image.version"] == found[1]
    assert labels["org.opencontainers.image.revision"] == found[2] != "unknown"
    assert labels["org.opencontainers.image.title"] == "Trestle"
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "trestle", "health"]


def test_only_what_it_needs_is_inside(engine, image):
    listing = engine.run("run", "--rm", "--network=none", "--entrypoint", "sh", image, "-c",
                         "ls /usr/include /usr/share/trestle /usr/bin/g++ /usr/bin/curl; id -u")
    assert "plugin_api" not in listing.stdout
    assert listing.stdout.splitlines()[-1] == "10001"
    assert "/usr/bin/g++" not in listing.stdout and "/usr/bin/curl" not in listing.stdout


def test_traffic_through_it(running, ports):
    context = zmq.Context()
    sub, push = context.socket(zmq.SUB), context.socket(zmq.PUSH)
    sub.setsockopt(zmq.RCVTIMEO, 100)
    sub.connect(f"tcp://127.0.0.1:{ports['telemetry']}")
    sub.subscribe("temperature.hall.")
    try:
        def heard():
            publish(ports["devices"], "sensors/hall/t1/temperature", "21.5")
            try:
                return sub.recv_multipart()
            except zmq.Again:
                return None
        assert wait_until(heard, "no temperature") == [b"temperature.hall.t1", b"21.5"]

        listener = subprocess.Popen(
            ["mosquitto_sub", "-p", str(ports["devices"]), "-t", "devices/+/command/+", "-C", "1",
             "-v", "-q", "1", "-i", "d17", "-c"], stdout=subprocess.PIPE, text=True)
        push.connect(f"tcp://127.0.0.1:{ports['ingest']}")
        push.send_multipart([b"commands.d17.restart", b"now"])
        try:
            def answered():
                push.send_multipart([b"commands.d17.restart", b"now"])
                return listener.poll() is not None
            wait_until(answered, "no command arrived", every=0.2)
            assert listener.stdout.read().strip() == "devices/d17/command/restart now"
        finally:
            listener.kill()
            listener.wait()
    finally:
        context.destroy(linger=0)


def test_pid_1_ends_in_time_with_connections_open(running, ports):
    with socket.create_connection(("127.0.0.1", ports["devices"]), timeout=PATIENCE) as client:
        client.sendall(CONNECT)
        assert client.recv(64)[:1] == b"\x20", "no CONNACK"
        assert running.exec("cat", "/proc/1/comm").stdout.strip() == "trestle"
        status, seconds = running.stop()
        assert status == 0, running.logs()
        assert seconds < 6, "nothing had to be drained"
        assert "stopped" in running.logs()
        goodbye = client.recv(64)
        assert goodbye[:1] == b"\xe0" and goodbye[2] == 0x8B, "DISCONNECT: server shutting down"
        assert client.recv(64) == b""


def test_it_is_shut_in(running):
    for path in ("/x", "/etc/trestle/x", "/usr/bin/x"):
        done = running.exec("sh", "-c", f"echo >{path}", check=False)
        assert done.returncode != 0, f"could write {path}"
    status = running.exec("cat", "/proc/1/status").stdout
    assert re.search(r"^CapEff:\s*0+$", status, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE)
    assert re.search(r"^Uid:\s*10001\b", status, re.MULTILINE)
    running.exec("sh", "-c", "echo >/var/lib/trestle/x")


def test_json_log(engine, image, moved):
    options = [*SHUT_IN, *moved, "-e", "TRESTLE__log__format=json"]
    with engine.container(image, options=options) as one:
        one.wait_healthy()
        for line in one.logs().splitlines():
            assert {"time", "level", "component", "message"} <= set(json.loads(line)), line


def test_health_tells_when_it_is_not(engine, image, moved, ports):
    """`trestle health` of a container that was told to ask elsewhere finds nobody."""
    options = [*SHUT_IN, *moved, "--health-interval=200ms", "--health-retries=1",
               "--health-start-period=0s", "--health-cmd",
               f"trestle health --set admin.probe_listen=http://127.0.0.1:{free_ports(1)[0]}"]
    with engine.container(image, options=options) as one:
        one.wait_healthy("unhealthy")


def refused(engine, image, *command, options=()):
    done = engine.run("run", "--rm", *SHUT_IN, *options, image, *command, check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines()
             if not re.search("Z (info|warn) |: warning: ", line)]
    assert len(lines) == 1, lines
    return done.returncode, lines[0]


def test_what_it_lacks_is_told_in_one_sentence(engine, image, moved, tmp_path):
    tmp_path.chmod(0o755)
    status, line = refused(engine, image, "serve", "--config", "/etc/trestle/other.json")
    assert status == 2 and "/etc/trestle/other.json: cannot be read: No such file" in line

    status, line = refused(engine, image, options=[
        *moved, "-e", "TRESTLE__admin__token=${file:/run/secrets/token}"])
    assert status == 2 and "/run/secrets/token" in line and "No such file" in line

    secret = tmp_path / "token"
    secret.write_text("x")
    secret.chmod(0o600)
    status, line = refused(engine, image, options=[
        *moved, "-v", f"{secret}:/run/secrets/token:ro",
        "-e", "TRESTLE__admin__token=${file:/run/secrets/token}"])
    assert status == 2 and "Permission denied" in line

    status, line = refused(engine, image, options=[*moved, "-e", "TRESTLE__admin__token=${TOKEN}"])
    assert status == 2 and "the environment has no TOKEN" in line

    status, line = refused(engine, image, options=[
        *moved, "-e", "TRESTLE__endpoints__x={\"plugin\":\"amqp\"}"])
    assert status == 2 and "amqp" in line and "mqtt" in line

    status, line = refused(engine, image, options=[
        *moved, "-e", "TRESTLE__endpoints__devices__listen__0=mqtt+unix:///etc/trestle/s"])
    assert status == 1 and "Read-only file system" in line


def test_a_port_below_1024(engine, image, moved):
    """With --network=host Docker cannot lower the limit for the container."""
    status, line = refused(engine, image, options=[
        *moved, "-e", "TRESTLE__endpoints__devices__listen__0=mqtt://127.0.0.1:883"])
    assert status == 1 and "CAP_NET_BIND_SERVICE" in line


