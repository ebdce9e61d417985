"""Fixtures: a broker shared by a module's MQTT tests, and gateways made to order.

TRESTLE_BUILD names the build folder (build/release). TRESTLE_PEER=mosquitto puts Debian's broker in
place of the gateway in tests that use only `broker`: a test that fails there too may itself be
wrong.
"""

import os
import pathlib
import sys

import pytest
import zmq

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from mqtt_bytes import V5, V311, RawClient  # noqa: E402
from support.gateway import PROGRAM, Gateway, sanitizers  # noqa: E402
from support.node import Browser  # noqa: E402
from support.waiting import PATIENCE, free_ports  # noqa: E402
import harness  # noqa: E402
from json_client import json_clients  # noqa: E402

PEER = os.environ.get("TRESTLE_PEER", "")


def pytest_configure(config):
    config.addinivalue_line("markers", "not_under(sanitizer): what it takes away, that one needs")


def pytest_collection_modifyitems(items):
    present = sanitizers()
    for item in items:
        for sanitizer in present & {m.args[0] for m in item.iter_markers("not_under")}:
            item.add_marker(pytest.mark.skip(reason=f"the {sanitizer} sanitizer cannot take it"))
        if PEER and not {"broker"} & set(item.fixturenames):
            item.add_marker(pytest.mark.skip(reason="needs the gateway itself"))


def pytest_sessionstart():
    if not PEER and not PROGRAM.exists():
        pytest.exit(f"{PROGRAM} is not built (./dev build), or TRESTLE_BUILD is wrong", 2)


@pytest.fixture(scope="module", params=[1, 3], ids=["1shard", "3shards"])
def shards(request):
    return request.param


@pytest.fixture(params=[V311, V5], ids=["v311", "v5"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def broker(shards, tmp_path_factory):
    """Something that speaks MQTT on `.port`, with no routes; shared, so use topics of your own."""
    folder = tmp_path_factory.mktemp("broker")
    if PEER == "mosquitto":
        with harness.mosquitto(folder) as peer:
            yield peer
        return
    with harness.make_gateway(folder, shards) as gateway:
        yield gateway


@pytest.fixture
def gateway(shards, tmp_path):
    """A function that starts a gateway: see harness.make_gateway."""
    started = []

    def start(**overrides):
        folder = tmp_path / f"gateway{len(started)}"
        folder.mkdir()
        one = harness.make_gateway(folder, shards, **overrides)
        started.append(one)
        try:
            return one.start()
        except BaseException:
            one.fail()
            raise

    yield start
    try:
        for one in started:
            if not one.expected_to_fail:
                one.stop()
    finally:
        for one in started:
            one.kill()
    for one in started:
        one.check_log()


@pytest.fixture
def raw(request):
    """A function that opens a RawClient to a port; all are closed at the end."""
    opened = []

    def open_one(port, version=V5):
        opened.append(RawClient(port, version))
        return opened[-1]

    yield open_one
    for client in opened:
        client.socket.close()


@pytest.fixture
def context():
    """For sockets made by hand; they go with it."""
    one = zmq.Context()
    yield one
    one.destroy(linger=0)


@pytest.fixture
def sockets():
    """A ZeroMQ context whose sockets have deadlines and never hold up the end of a test."""
    context = zmq.Context()
    kept = []  # a socket that nobody refers to closes itself

    def make(kind, **options):
        socket = context.socket(kind)
        kept.append(socket)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE * 1000))
        socket.setsockopt(zmq.SNDTIMEO, int(PATIENCE * 1000))
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name.upper()), value)
        return socket

    yield make
    context.destroy(linger=0)


@pytest.fixture(scope="module")
def browser():
    one = Browser()
    yield one
    one.close()


@pytest.fixture
def ports():
    return free_ports


@pytest.fixture
def open_json():
    """A function that opens a JSON client to a URL: see json_client.py."""
    with json_clients() as open_one:
        yield open_one
