"""Installs Trestle to a scratch prefix, makes the example plugin against it, and serves with both.

The build folder is given in TRESTLE_BUILD; nothing of the source tree but the example is used."""

import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.gateway import BUILD, Gateway  # noqa: E402
from support.waiting import PATIENCE, free_ports  # noqa: E402

EXAMPLE = pathlib.Path(__file__).resolve().parent / "example"
COMPILER = os.environ.get("CXX", "c++")
SHIPPED = {"mqtt.so", "websocket.so", "zmq.so"}


def run(*command, **more):
    """Its output; an end with another status than 0 fails the test with all of it."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=900, **more)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    run("cmake", "--install", BUILD, "--prefix", folder)
    return folder


@pytest.fixture(scope="module")
def with_lines(prefix, tmp_path_factory):
    """The prefix with the example plugin in it."""
    build = tmp_path_factory.mktemp("lines")
    run("cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", build,
        f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
    run("cmake", "--build", build)
    run("cmake", "--install", build, "--prefix", "/nowhere")
    return prefix


def test_what_is_installed_where(prefix):
    plugins = {p.name for p in (prefix / "lib/trestle/plugins").iterdir()}
    assert plugins == SHIPPED, "the shipped plugins, and no example or test"
    for path in ("bin/trestle", "lib/libtrestle.so", "etc/trestle/trestle.json",
                 "include/trestle/core/hub.h", "include/trestle/plugin_api/plugin.h",
                 "lib/cmake/trestle/trestle-config.cmake", "lib/pkgconfig/trestle.pc"):
        assert (prefix / path).is_file(), path
    for path in prefix.rglob("*"):
        if path.suffix in (".cmake", ".pc", ".json"):
            text = path.read_text()
            assert str(BUILD) not in text and str(prefix) not in text, f"{path} cannot be moved"


def test_nothing_installed_points_into_the_build_tree(prefix):
    for path in (prefix / "bin/trestle", prefix / "lib/libtrestle.so",
                 *(prefix / "lib/trestle/plugins").glob("*.so")):
        assert str(BUILD) not in run("readelf", "-d", path), f"RPATH of {path}"
        libraries = run("ldd", path)
        assert "not found" not in libraries, libraries
        if "libtrestle.so" in libraries:
            assert re.search(rf"libtrestle\.so\S* => {re.escape(str(prefix.resolve()))}", libraries)


def test_the_installed_program_checks_the_installed_config(prefix):
    run(prefix / "bin/trestle", "check", "--config", prefix / "etc/trestle/trestle.json")


def test_flags_from_pkg_config_are_enough(prefix, tmp_path):
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    flags = run("sh", "-c", f"{COMPILER} -fsyntax-only $(pkg-config --cflags trestle) "
                            f"{EXAMPLE}/lines.cpp", env=env)
    assert flags == ""


def test_every_installed_header_stands_alone(prefix, tmp_path):
    headers = sorted(p.relative_to(prefix / "include/trestle")
                     for p in (prefix / "include/trestle").rglob("*.h"))
    assert len(headers) > 20
    env = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    flags = run("pkg-config", "--cflags", "trestle", env=env).split()
    faults = []
    for header in headers:
        source = tmp_path / "alone.cpp"
        source.write_text(f'#include "{header}"\n')
        done = subprocess.run([COMPILER, "-fsyntax-only", *flags, source], capture_output=True,
                              text=True, timeout=300)
        if done.returncode != 0:
            faults.append(f"{header}:\n{done.stderr}")
    assert not faults, "\n".join(faults)


def test_without_the_flags_it_does_not_compile(prefix):
    done = subprocess.run([COMPILER, "-std=c++20", "-fsyntax-only", f"-I{prefix}/include/trestle",
                           EXAMPLE / "lines.cpp"], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "pkg-config --cflags trestle" in done.stderr


class LineClient:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def receive(self):
        return self.lines.readline().rstrip("\n")

    def ask(self, line):
        self.send(line)
        return self.receive()

    def close(self):
        self.lines.close()
        self.socket.close()


@pytest.fixture(scope="module", params=[1, 3], ids=["one shard", "three shards"])
def gateway(request, with_lines, tmp_path_factory):
    mqtt, lines, admin = free_ports(3)
    config = {"endpoints": {"devices": {"plugin": "mqtt", "listen": [f"mqtt://127.0.0.1:{mqtt}"]},
                            "text": {"plugin": "lines", "listen": [f"lines://127.0.0.1:{lines}"]}},
              "shards": request.param, "admin": {"listen": f"http://127.0.0.1:{admin}"}}
    one = Gateway(config, tmp_path_factory.mktemp("gateway"), program=with_lines / "bin/trestle")
    one.ports = mqtt, lines
    with one:
        yield one


@pytest.fixture
def line_client(gateway):
    """A function that connects a client. At the end all are closed, and the gateway has noticed:
    the next test's counts begin with nobody there."""
    opened = []

    def connect():
        opened.append(LineClient(gateway.ports[1]))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()
    gateway.wait_metric(0, "trestle_subscriptions")


def mosquitto_pub(gateway, topic, payload):
    run("mosquitto_pub", "-p", gateway.ports[0], "-q", 1, "-t", topic, "-m", payload)


def test_lines_receive_what_mqtt_publishes(gateway, line_client):
    client = line_client()
    assert client.ask("SUB sensors/+/temperature") == "+ok"
    mosquitto_pub(gateway, "sensors/hall/humidity", "40")
    mosquitto_pub(gateway, "sensors/hall/temperature", "21.5")
    assert client.receive() == "sensors/hall/temperature 21.5"


def test_a_payload_of_two_lines_is_dropped_and_counted(gateway, line_client):
    client = line_client()
    assert client.ask("SUB notes/#") == "+ok"
    drops = {"endpoint": "text", "reason": "bad_frames"}
    before = gateway.metric("trestle_messages_dropped_total", **drops)
    mosquitto_pub(gateway, "notes/a", "two\nlines")
    mosquitto_pub(gateway, "notes/a", "one")
    assert client.receive() == "notes/a one"
    gateway.wait_metric(before + 1, "trestle_messages_dropped_total", **drops)


def test_mqtt_receives_what_lines_publish(gateway, line_client):
    subscriber = subprocess.Popen(
        ["mosquitto_sub", "-p", str(gateway.ports[0]), "-v", "-t", "text/#", "-C", "1"],
        stdout=subprocess.PIPE, text=True)
    try:
        gateway.wait_metric(1, "trestle_subscriptions")
        assert line_client().ask("PUB text/a hello, devices") == "+ok"
        assert subscriber.communicate(timeout=PATIENCE)[0] == "text/a hello, devices\n"
    finally:
        subscriber.kill()
        subscriber.wait()


def test_one_line_client_reaches_another_and_the_books_balance(gateway, line_client):
    before = gateway.metric("trestle_session_matched_total", endpoint="text")
    reader, writer = line_client(), line_client()
    assert reader.ask("SUB a/#") == "+ok"
    for i in range(100):
        writer.send(f"PUB a/{i} {i}")
    assert [writer.receive() for _ in range(100)] == ["+ok"] * 100
    assert [reader.receive() for _ in range(100)] == [f"a/{i} {i}" for i in range(100)]
    gateway.wait_metric(before + 100, "trestle_session_matched_total", endpoint="text")
    sent = gateway.metric("trestle_session_messages_total", endpoint="text", outcome="sent")
    dropped = gateway.metric("trestle_session_messages_total", endpoint="text", outcome="dropped")
    assert before + 100 == sent + dropped


def test_bad_lines_are_answered_and_harm_nobody(line_client):
    client = line_client()
    assert client.ask("SUB a/#/b") == "+error that is no topic filter"
    assert client.ask("PUB a/+ x") == "+error that is no topic"
    assert client.ask("HELLO") == "+error unknown command"
    assert client.ask("") == "+error unknown command"
    client.send("x" * 200_000)
    assert client.receive() == "+error the line is too long"
    assert client.receive() == "", "disconnected"
    assert line_client().ask("SUB still/here") == "+ok"


def test_a_faulty_address_is_a_fault_of_the_config(gateway, tmp_path):
    config = tmp_path / "trestle.json"
    config.write_text('{"endpoints": {"text": '
                      '{"plugin": "lines", "listen": ["tcp://127.0.0.1:1"]}}}')
    done = subprocess.run([gateway.program, "check", "--config", config], capture_output=True,
                          text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert "endpoints.text.listen[0]" in done.stdout + done.stderr
    assert "lines://HOST:PORT" in done.stdout + done.stderr
