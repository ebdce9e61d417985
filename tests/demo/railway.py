#!/usr/bin/python3
"""A toy railway on Trestle: devices, workers and a browser that know nothing of each other.

Starts the gateway on a copy of its default config (on free ports, with two routes more), lets
foreign
clients play for some seconds, prints who received what, and compares every count with /metrics.
Ends
with 0 only if all of them agree.
"""

import json
import pathlib
import re
import sys
import tempfile
import time

import paho.mqtt.client as paho
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import cast  # noqa: E402
from support.gateway import ROOT, Gateway  # noqa: E402
from support.metrics import balance_of_route, balance_of_sessions  # noqa: E402
from support.waiting import TimedOut, free_ports, wait_until  # noqa: E402

TRAINS = ("express", "local", "freight")
LINE = 11  # kilometres
TICKS, TICK = 44, 0.2  # seconds
EARLY_FILMS, LATE_FILMS = 12, 28

OWN_ROUTES = [
    {"name": "railway", "mqtt": "railway/{kind}/{name}/state", "zmq": "railway.{kind}.{name}",
     "to": "telemetry"},
    {"name": "machine", "mqtt": "machine/{reading}", "zmq": "machine.{reading}", "to": "telemetry"},
]


def demo_config():
    """The project's default config, moved to free ports, with the demo's routes."""
    text = (ROOT / "config/trestle.json").read_text(encoding="utf-8")
    string_or_comment = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
    config = json.loads(string_or_comment.sub(lambda m: m.group(1) or "", text))
    ports = iter(free_ports(len(config["endpoints"]) + 1))
    for endpoint in config["endpoints"].values():
        for key in ("listen", "bind"):
            if key in endpoint:
                endpoint[key] = [re.sub(r":\d+$", f":{next(ports)}", endpoint[key][0])]
    config["admin"]["listen"] = f"http://127.0.0.1:{next(ports)}"
    config["routes"] += OWN_ROUTES
    return config


class Railway:
    """The cast, and what it does."""

    def __init__(self, config):
        at = {name: (e.get("listen") or e.get("bind"))[0]
              for name, e in config["endpoints"].items()}
        self.port, web = (int(at[n].rsplit(":", 1)[1]) for n in ("devices", "web"))
        self.jobs = at["jobs"]
        self.signals = {
            name: cast.Mqtt(name, self.port, [f"devices/{name}/command/+"], protocol=paho.MQTTv311)
            for name in cast.Dispatcher.SIGNALS}
        self.dashboard = cast.Mqtt("dashboard", web, ["railway/#", "machine/#", "sensors/#"],
                                   transport="websockets")
        self.crossing = cast.Listener(self.port, "railway/train/+/state")
        self.dispatcher = cast.Dispatcher(at["telemetry"], at["ingest"])
        self.workshop = cast.Zmq("workshop", zmq.SUB, at["telemetry"], b"temperature.")
        self.observer = cast.Zmq("observer", zmq.SUB, at["telemetry"], b"machine.")
        self.trains = {name: cast.Mqtt(f"train {name}", self.port) for name in TRAINS}
        self.sensors = cast.Mqtt("sensors", self.port)
        self.encoders = []
        self.films = 0

    def everybody(self):
        return [*self.signals.values(), self.dashboard, self.crossing, self.dispatcher,
                self.workshop, self.observer, *self.trains.values(), self.sensors, *self.encoders]

    def rehearse(self):
        """Publishes until every listener hears: a new subscription needs a moment to be known."""
        def all_hear():
            self.sensors.publish("railway/train/rehearsal/state", -9)
            self.sensors.publish("sensors/depot/rehearsal/temperature", 0)
            self.sensors.publish("machine/rehearsal", 0)
            self.sensors.wait_acknowledged()
            return all((self.dispatcher.ears.heard, self.workshop.heard, self.observer.heard,
                        self.crossing.heard, self.dashboard.heard))
        wait_until(all_hear, "not every listener hears", every=0.1)

    def film(self, count):
        """Cameras upload films; each is one job for one encoder."""
        cast.mosquitto_pub(self.port, "video/camera/uploaded",
                           [f"film {self.films + i}" for i in range(count)])
        self.films += count

    def hire_encoders(self):
        self.encoders = [cast.Zmq(f"encoder {n}", zmq.PULL, self.jobs) for n in (1, 2)]

    def ride(self):
        machine = cast.Machine()
        for tick in range(TICKS):
            begun = time.monotonic()
            for speed, (name, train) in enumerate(self.trains.items(), 1):
                kilometre = tick * speed // 4 % LINE
                train.publish(f"railway/train/{name}/state", kilometre)
                train.publish(f"sensors/{name}/axle/temperature", cast.axle_temperature())
            if tick % 5 == 0:
                for what, value in machine.readings().items():
                    self.sensors.publish(f"machine/{what}", value)
                self.show(tick)
            time.sleep(max(0.0, TICK - (time.monotonic() - begun)))
        for client in (*self.trains.values(), self.sensors):
            client.wait_acknowledged()

    def show(self, tick):
        def at(name, speed):
            return f"{name} km {tick * speed // 4 % LINE:>2}"

        lights = (f"{n} {s.latest.rsplit('/', 1)[-1] or '-'}" for n, s in self.signals.items())
        load = self.dashboard.last.get("machine/load", "-")
        print("   ", " | ".join([*(at(n, s) for s, n in enumerate(TRAINS, 1)), *lights,
                                 f"load {load}"]), flush=True)


def total(counter, prefix=""):
    return sum(n for key, n in counter.items() if key.startswith(prefix))


class Books:
    """Rows of: what was counted by the clients, and what must equal it."""

    def __init__(self, railway, gateway):
        self.railway, self.gateway = railway, gateway

    def rows(self):
        """(who received what, how many, what it must equal, that number)."""
        r, metrics = self.railway, self.gateway.metrics()
        sent = {name: metrics.value("trestle_route_messages_total", route=name, outcome="sent")
                for name in ("railway", "temperatures", "machine", "encode")}
        published = r.sensors.published.copy()
        for train in r.trains.values():
            published.update(train.published)
        encoded = [total(e.heard) for e in r.encoders]
        obeyed = sum(total(s.heard) for s in r.signals.values())
        ordered = total(r.dispatcher.orders)
        trains = total(published, "railway/train/")
        heard_trains = total(r.dispatcher.ears.heard)
        value = metrics.value
        return [
            ("crossing (mosquitto_sub): trains", total(r.crossing.heard), "published", trains),
            ("dispatcher (SUB railway.train.)", heard_trains, "published", trains),
            ("dispatcher (SUB railway.train.)", heard_trains, "route railway", sent["railway"]),
            ("workshop (SUB temperature.)", total(r.workshop.heard), "published",
             total(published, "sensors/")),
            ("workshop (SUB temperature.)", total(r.workshop.heard), "route temperatures",
             sent["temperatures"]),
            ("observer (SUB machine.)", total(r.observer.heard), "route machine", sent["machine"]),
            ("encoders 1 + 2 (PULL), jobs", sum(encoded), "films uploaded", r.films),
            ("encoders 1 + 2 (PULL), jobs", sum(encoded), "route encode", sent["encode"]),
            ("signals (MQTT 3.1.1), orders", obeyed, "dispatcher's orders", ordered),
            ("orders received by the gateway", ordered, "endpoint ingest",
             value("trestle_messages_received_total", endpoint="ingest")),
            ("dashboard (MQTT over WebSocket)", total(r.dashboard.heard), "published",
             total(published)),
            ("dashboard (MQTT over WebSocket)", total(r.dashboard.heard), "endpoint web",
             value("trestle_messages_sent_total", endpoint="web")),
            ("published over MQTT", total(published) + r.films, "endpoint devices",
             value("trestle_messages_received_total", endpoint="devices")),
            ("delivered over MQTT", total(r.crossing.heard) + obeyed, "endpoint devices, sent",
             value("trestle_messages_sent_total", endpoint="devices")),
            ("dropped, whatever the reason", 0, "all endpoints",
             value("trestle_messages_dropped_total")),
            *self.ledger(metrics)]

    def ledger(self, metrics):
        for name in ("railway", "temperatures", "machine", "encode"):
            matched, fates = balance_of_route(metrics, name)
            yield f"ledger of route {name}", matched, "fates", fates
        for name in ("devices", "web"):
            matched, fates = balance_of_sessions(metrics, name)
            yield f"ledger of sessions at {name}", matched, "fates", fates

    def agree(self):
        return all(have == must for _, have, _, must in self.rows())

    def show(self):
        rows = self.rows()
        width = max(len(who) for who, *_ in rows)
        other = max(len(what) for _, _, what, _ in rows)
        for who, have, what, must in rows:
            mark = "ok" if have == must else "DIFFERS"
            print(f"    {who.ljust(width)}  {have:6.0f}   {what.ljust(other)}  {must:6.0f}   "
                  f"{mark}")


def play(gateway, config):
    print(f"Gateway up: {len(config['endpoints'])} endpoints, {len(config['routes'])} routes, "
          f"admin {gateway.admin}", flush=True)
    railway = Railway(config)
    try:
        print("Cast connected: 3 trains, 2 signals, a crossing, sensors (MQTT); dispatcher,\n"
              "  workshop, observer (ZeroMQ); a dashboard (MQTT over WebSocket). Rehearsal ...",
              flush=True)
        railway.rehearse()
        railway.film(EARLY_FILMS)
        waiting = gateway.wait_metric(EARLY_FILMS, "trestle_route_queue_messages", route="encode")
        print(f"{waiting:.0f} films were uploaded before any encoder came: they wait.", flush=True)
        railway.hire_encoders()
        gateway.wait_metric(2, "trestle_zmq_peers", endpoint="jobs")
        railway.film(LATE_FILMS)
        print(f"Two encoders share them and {LATE_FILMS} more. The trains leave:", flush=True)
        railway.ride()
        books = Books(railway, gateway)
        try:
            wait_until(books.agree, "the counts do not agree", 10, every=0.1)
        except TimedOut:
            pass  # the table shows where
        print("\nWho received what, and what it must equal:\n")
        books.show()
        print("\n    films by encoder: "
              + ", ".join(f"{e.name}: {total(e.heard)}" for e in railway.encoders))
        print("    this machine: " + ", ".join(
            f"{k.split('.')[1]} {v}" for k, v in sorted(railway.observer.last.items())
            if "rehearsal" not in k))
        for one in railway.everybody():
            if getattr(one, "error", None):
                raise RuntimeError(f"{one.name} failed: {one.error}")
        return books.agree()
    finally:
        for one in railway.everybody():
            one.leave()


def main():
    gateway_program = Gateway({}, ".").program
    if not gateway_program.exists():
        sys.exit(f"demo: {gateway_program} is missing; ./dev build makes it")
    config = demo_config()
    with tempfile.TemporaryDirectory(prefix="trestle-demo-") as folder:
        try:
            with Gateway(config, folder) as gateway:
                agreed = play(gateway, config)
        except (AssertionError, OSError, RuntimeError) as error:
            sys.exit(f"demo: {error}")
    if not agreed:
        print("\nFAILED: some counts differ, see above.")
        return 1
    print("\nEvery count agrees with /metrics; the gateway ended cleanly.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
