"""Chaos: jobs at QoS 1 with "ack": "worker", workers that are killed and stopped at random, and
connections that are cut, of workers and of the device.

Whatever was acknowledged to the device has been completed by a worker at least once, nothing is
missing, and what was done twice carries the same id; but for what the device has sent again because
the PUBACK was lost on its way, which is a new message at QoS 1. Small in the suite; the full one is

    TRESTLE_BUILD=build/release python3 tests/support/chaos.py 20000 8 [SEED [bundles]]

With `bundles` the workers speak Trestle's own protocol, get many jobs in a message, and give some
back unbegun.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "blackbox")]

import zmq  # noqa: E402

from harness import make_gateway, route  # noqa: E402
from mqtt_bytes import PUBACK, V5, RawClient, publish  # noqa: E402
from support.bundle_worker import BundleWorker  # noqa: E402
from support.majordomo import Worker  # noqa: E402
from support.metrics import balance_of_route  # noqa: E402
from support.waiting import wait_until  # noqa: E402

WINDOW = 500
RESUME = b"\x11\x00\x00\x0e\x10"  # session expiry: an hour


class Cutter(threading.Thread):
    """A TCP relay whose connections can be cut."""

    def __init__(self, target):
        super().__init__(daemon=True)
        self.target, self.pairs, self.cuts = target, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.pairs.append((near, far))
            threading.Thread(target=self.relay, args=(near, far), daemon=True).start()

    def relay(self, near, far):
        try:
            while True:
                for one in select.select([near, far], [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    (far if one is near else near).sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()

    def cut(self, choice):
        self.pairs = [p for p in self.pairs if p[0].fileno() >= 0]
        if not self.pairs:
            return
        self.cuts += 1
        for one in choice(self.pairs):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Device:
    """Publishes all jobs, in a window; comes back and sends again what was not answered."""

    def __init__(self, port, jobs):
        self.port, self.jobs, self.acked, self.reconnects = port, jobs, {}, -1
        self.open = collections.OrderedDict()  # packet id -> number of the job
        self.resent = set()
        self.next = 0

    def connect(self):
        """Tries until it is in: it may be cut off at that too."""
        wait_until(self.try_to_connect, "the device does not get in")
        self.resent.update(self.open.values())
        for packet_id, job in self.open.items():
            self.send(packet_id, job, dup=True)

    def try_to_connect(self):
        self.reconnects += 1
        try:
            self.client = RawClient(self.port)
            self.client.connect("device", clean=self.reconnects == 0, props=RESUME)
        except (OSError, AssertionError):
            return False
        return True

    def send(self, packet_id, job, dup=False):
        """On a connection that is cut off: the next `read` tells."""
        with contextlib.suppress(OSError):
            self.client.send(self.packet(packet_id, job, dup))

    def packet(self, packet_id, job, dup=False):
        return publish(V5, f"work/{job}", b"%d" % job, 1, packet_id, dup=dup)

    def run(self):
        self.connect()
        while len(self.acked) < self.jobs:
            while len(self.open) < WINDOW and self.next < self.jobs:
                packet_id = self.next % 60_000 + 1
                self.open[packet_id] = self.next
                self.send(packet_id, self.next)
                self.next += 1
            try:
                got = self.client.read()
            except (OSError, AssertionError):
                got = None
            if got is None:
                self.connect()
            elif got.kind == PUBACK:
                job = self.open.pop(got.packet_id)
                assert got.reason(V5) == 0, f"job {job}: {got}"
                self.acked[job] = self.acked.get(job, 0) + 1


class Crew:
    """Worker processes, some of which die or stop now and then."""

    def __init__(self, kind, address, size, log, rng):
        self.command = [sys.executable, __file__, kind, address, str(log)]
        self.rng, self.kills, self.stops = rng, 0, 0
        self.workers = [self.hire() for _ in range(size)]

    def hire(self):
        return subprocess.Popen(self.command)

    def hurt(self):
        place = self.rng.randrange(len(self.workers))
        worker = self.workers[place]
        if self.rng.random() < 0.5:
            self.kills += 1
            worker.kill()
            worker.wait()
            self.workers[place] = self.hire()
        else:
            self.stops += 1
            worker.send_signal(signal.SIGSTOP)
            threading.Timer(self.rng.uniform(0.1, 2.5), worker.send_signal,
                            [signal.SIGCONT]).start()

    def end(self):
        for worker in self.workers:
            worker.kill()
            worker.wait()


def work(address, log):
    """A worker: notes what it has completed, then says so."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    worker = Worker(zmq.Context(), address, b"encode", heartbeat=0.3)
    while True:
        body = worker.recv(3600)
        if random.random() < 0.2:
            time.sleep(random.uniform(0, 0.005))
        meta = json.loads(body[1])
        os.write(out, b"%s %s\n" % (body[2], meta["id"].encode()))
        worker.reply(b"")


def work_with_bundles(address, log):
    """The same of one with a window."""
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    worker = BundleWorker(zmq.Context(), address, b"encode", window=40, bundle=20)
    for tag, _, body in worker.jobs():
        if random.random() < 0.05:
            worker.release(tag)
            continue
        if random.random() < 0.02:
            time.sleep(random.uniform(0, 0.05))
        os.write(out, b"%s %s\n" % (body[2], json.loads(body[1])["id"].encode()))
        worker.acknowledge(tag)


def run(folder, jobs, workers, seed=1, kind="worker", say=lambda *_: None):
    """Plays it, checks it, and tells the figures."""
    rng = random.Random(seed)
    log = pathlib.Path(folder, "completed")
    rule = route("work", "work/{id}", "encode", to="workers", ack="worker", timeout_ms=600_000)
    options = {"socket": "router", "heartbeat_ms": 300, "lease_ms": 1500, "max_attempts": 1000}
    with make_gateway(folder, endpoints={"workers": options}, routes=[rule]) as gateway:
        to_workers = Cutter(gateway.port_of("workers"))
        to_device = Cutter(gateway.port)
        crew = Crew(kind, f"tcp://127.0.0.1:{to_workers.port}", workers, log, rng)
        device, failure = Device(to_device.port, jobs), []

        def publish_all():
            try:
                device.run()
            except BaseException as error:  # noqa: BLE001 - handed to the test below
                failure.append(error)

        thread = threading.Thread(target=publish_all, daemon=True)
        begun = time.monotonic()
        thread.start()
        try:
            while thread.is_alive():
                thread.join(rng.uniform(0.1, 0.6))
                what = rng.random()
                if what < 0.5:
                    crew.hurt()
                elif what < 0.8:
                    to_workers.cut(rng.choice)
                else:
                    to_device.cut(rng.choice)
                say(f"{len(device.acked)} acknowledged")
                assert time.monotonic() < begun + 30 + jobs / 20, "it takes too long"
            if failure:
                raise failure[0]
            for name in ("trestle_route_queue_messages", "trestle_route_in_flight"):
                gateway.wait_metric(0, name, seconds=60, route="work")
        finally:
            crew.end()
            for cutter in (to_workers, to_device):
                cutter.listener.close()
        return check(gateway, jobs, log, device, crew, to_workers, time.monotonic() - begun)


def check(gateway, jobs, log, device, crew, to_workers, seconds):
    done = collections.defaultdict(list)
    for line in log.read_bytes().splitlines():
        job, job_id = line.split()
        done[int(job)].append(job_id)
    missing = [job for job in device.acked if job not in done]
    assert not missing, f"acknowledged and never done: {missing[:10]}"
    assert sorted(device.acked) == list(range(jobs))
    anew = {job for job, ids in done.items() if len(set(ids)) > 1}
    assert anew <= device.resent, "a job with two ids that was sent once"
    wait_until(lambda: len(set(balance_of_route(gateway.metrics(), "work"))) == 1,
               lambda: f"books: {balance_of_route(gateway.metrics(), 'work')}")
    acked = gateway.metric("trestle_route_messages_total", route="work", outcome="acked")
    assert acked == sum(len(set(ids)) for ids in done.values())
    return {"jobs": jobs, "seconds": round(seconds, 1), "kills": crew.kills, "stops": crew.stops,
            "cuts": to_workers.cuts, "device_reconnects": device.reconnects,
            "redelivered": int(gateway.metric("trestle_zmq_redeliveries_total")),
            "late_replies": int(gateway.metric("trestle_zmq_late_replies_total")),
            "sent_anew": len(anew),
            "done_twice": sum(len(ids) - len(set(ids)) for ids in done.values())}


def main(jobs="20000", workers="8", seed="1", kind="worker"):
    with tempfile.TemporaryDirectory() as folder:
        print(run(pathlib.Path(folder), int(jobs), int(workers), int(seed), kind,
                  lambda text: print(text, end="\r", file=sys.stderr, flush=True)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(*sys.argv[2:])
    elif sys.argv[1:2] == ["bundles"]:
        work_with_bundles(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
