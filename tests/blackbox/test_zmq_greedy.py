"""One subscriber of a `pub` endpoint that asks for far too much: it is cut off, and nobody else."""

import itertools
import threading

import pytest
import zmq
from harness import join
from support.waiting import PATIENCE, wait_until
from test_zmq_interest import READINGS, say, send_one, speak_zmtp2, speak_zmtp3, sub_to

CUT = "has asked for more than max_subscriptions_per_peer"


@pytest.fixture
def start(gateway):
    def start_it(**options):
        return gateway(endpoints={"out": {"socket": "pub", **options}}, routes=[READINGS])
    return start_it


@pytest.fixture
def other(raw, sockets):
    """A subscriber that asks for little, and a round trip to it."""
    def make(one):
        sub = sub_to(sockets(zmq.SUB), one)
        join(one, raw, sub, b"t.", probe="sensors/probe/temperature")
        device = raw(one.port)
        device.connect()
        numbers = itertools.count()

        def still_hears():
            text = b"%d" % next(numbers)
            send_one(device, text)
            assert sub.recv_multipart() == [b"t.1.", text]
        return still_hears
    return make


def errors(one):
    return one.metric("trestle_protocol_errors_total", endpoint="out")


@pytest.mark.parametrize("limits,prefix", [
    ({"max_subscriptions_per_peer": 100}, b"x%d"),
    ({"max_subscription_bytes_per_peer": 2000}, b"%d" + b"x" * 100),
    # Also when the endpoint itself keeps track of fewer.
    ({"max_subscriptions_per_peer": 100, "max_subscriptions": 10}, b"x%d")])
def test_one_peer_is_cut_off_again_and_again(start, other, sockets, limits, prefix):
    one = start(**limits)
    still_hears = other(one)
    greedy = sub_to(sockets(zmq.SUB), one)
    for number in range(150):
        greedy.subscribe(prefix % number)

    def was_cut_often():
        greedy.poll(0)  # its library begins anew whenever it is used
        return errors(one) >= 8

    wait_until(was_cut_often, "it is not cut off, or does not come back")
    still_hears()
    assert 0 < one.log().count(CUT) <= 6
    greedy.close()
    one.wait_peers("out", 1)
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    still_hears()


def test_what_is_taken_back_does_not_count(start, other):
    one = start(max_subscriptions_per_peer=100)
    still_hears = other(one)
    with speak_zmtp3(one.port_of("out")) as busy:
        for number in range(500):
            say(busy, b"\1x%d" % number, b"\1y", b"\0x%d" % number)
        for number in range(99):
            say(busy, b"\1x%d" % number)
        one.wait_metric(101, "trestle_zmq_subscriptions", endpoint="out")
        assert errors(one) == 0
        say(busy, b"\1one too many")
        one.wait_metric(1, "trestle_protocol_errors_total", endpoint="out")
        while busy.recv(1000):
            pass
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    still_hears()


def test_those_without_a_name_are_cut_off_together(start, other):
    one = start(max_subscriptions_per_peer=100)
    still_hears = other(one)
    with speak_zmtp2(one.port_of("out")) as first, speak_zmtp2(one.port_of("out")) as second:
        say(first, *(b"\1x%d" % number for number in range(60)))
        one.wait_metric(61, "trestle_zmq_subscriptions", endpoint="out")
        say(second, *(b"\1y%d" % number for number in range(60)))
        one.wait_metric(1, "trestle_protocol_errors_total", endpoint="out")
        for link in (first, second):
            while link.recv(1000):
                pass
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    one.wait_peers("out", 1)
    still_hears()
    with speak_zmtp2(one.port_of("out")) as third:
        say(third, b"\1t.2.")
        one.wait_metric(2, "trestle_zmq_subscriptions", endpoint="out")


def test_one_that_never_pauses_holds_up_nobody(start, other):
    """libzmq takes in what there is within one call, on the shard."""
    one = start(max_subscription_bytes_per_peer=1 << 20)
    still_hears = other(one)
    prefixes = b"".join(b"\2" + (1005).to_bytes(8, "big") + b"\1%04d" % number + b"x" * 1000
                        for number in range(4000))
    is_over = threading.Event()

    def ask_on_and_on():
        while not is_over.is_set():
            try:
                with speak_zmtp3(one.port_of("out")) as link:
                    for at in range(0, len(prefixes), 1 << 16):
                        link.sendall(prefixes[at:at + (1 << 16)])
                        if is_over.is_set():
                            return
            except OSError:
                pass

    thread = threading.Thread(target=ask_on_and_on)
    thread.start()
    try:
        while errors(one) < 3:
            still_hears()
    finally:
        is_over.set()
        thread.join(PATIENCE)
