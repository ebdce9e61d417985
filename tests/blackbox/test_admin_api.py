"""The admin API: every operation and its errors, each answer held against openapi.json."""

import json
import signal
import subprocess
import urllib.parse

import jsonschema
import pytest
import zmq
from admin_api import Api, Tail
from harness import route
from support.majordomo import Worker
from support.waiting import PATIENCE, wait_until


@pytest.fixture
def api(gateway):
    """A gateway with something of everything."""
    return Api(gateway(
        endpoints={"telemetry": {"socket": "pub"}, "jobs": {"socket": "push"},
                   "ingest": {"socket": "pull"}},
        routes=[route("temperatures", "sensors/{site}/{x}", "t.{site}.{x}", to="telemetry",
                      source="ingest", exclude=["sensors/secret/#"]),
                route("hall", "sensors/hall/{x}", "hall.{x}", to="telemetry"),
                route("encode", "video/{id}", "encode.{id}", to="jobs",
                      queue={"max_messages": 1, "block_ms": 200})]))


def test_every_path_is_described_and_served(api):
    described = api.description.operations()
    for path, method in described:
        asked = path.replace("{client_id}", "nobody")
        if (path, method) == ("/drain", "POST"):
            continue
        if path == "/tail":
            asked += "?filter=%23"
            method = "HEAD"
        status, headers, text = api.raw(method, asked, body="x" if method in ("POST", "PUT")
                                        else None)
        if method != "HEAD":
            api.description.check(method, asked, status, headers["Content-Type"] or "", text)
        # A method that is not described is refused.
        others = {"GET", "POST", "PUT", "DELETE"} - {m for p, m in described if p == path}
        for other in others:
            status, headers, _ = api.raw(other, asked)
            assert status == 405, (other, asked, status)
            assert other not in headers["Allow"]
            assert headers["Content-Type"] == "application/problem+json"
    status, headers, text = api.raw("GET", "/no/such/path")
    assert status == 404
    api.description.validate(json.loads(text), {"$ref": "#/components/schemas/Problem"})


def test_endpoints_and_routes_with_counters(api, raw, sockets):
    pull, push = sockets(zmq.PULL), sockets(zmq.PUSH)
    pull.connect(api.gateway.address("jobs"))
    push.connect(api.gateway.address("ingest"))
    api.gateway.wait_peers("jobs", 1)
    client = raw(api.gateway.port)
    client.connect("watcher")
    client.publish("video/1", b"x", 1, packet_id=1)
    assert pull.recv_multipart() == [b"encode.1", b"x"]
    push.send_multipart([b"t.roof.1", b"x"])
    api.gateway.wait_metric(1, "trestle_route_received_total", route="temperatures")
    endpoints = {e["name"]: e for e in api.get("/endpoints")["items"]}
    assert set(endpoints) == {"devices", "telemetry", "jobs", "ingest"}
    assert all(e["state"] == "ready" for e in endpoints.values())
    assert endpoints["jobs"]["socket"] == "push" and endpoints["jobs"]["figures"]["peers"] == 1
    assert endpoints["devices"]["listen"] == [api.gateway.address("devices")]
    routes = {r["name"]: r for r in api.get("/routes")["items"]}
    assert list(routes) == ["temperatures", "hall", "encode"], "in order of the config"
    assert routes["encode"]["figures"]["sent"] == 1
    assert routes["encode"]["queue_limit"]["messages"] == 1
    assert routes["temperatures"]["figures"]["received"] == 1
    assert sum(routes["encode"]["figures"]["waits"]) == 1
    stats = api.get("/stats")
    assert stats["routes"]["encode"]["matched"] == 1
    assert stats["sessions"]["connected"] == 1
    wait_until(lambda: api.get("/history")["points"], "no point of the history")
    last = api.get("/history")["points"][-1]
    fresh = api.get("/history", since=last["steady_ms"])["points"]
    assert all(p["steady_ms"] > last["steady_ms"] for p in fresh)
    # From before the machine has started anew, or of the clock that people set.
    assert last in api.get("/history", since=last["time_ms"])["points"]


def test_clients_are_paged_found_and_disconnected(api, raw):
    names = [f"client-{i:02}" for i in range(25)]
    clients = {name: raw(api.gateway.port) for name in names}
    for name, client in clients.items():
        client.connect(name)
    assert [c["client_id"] for c in api.pages("/clients", 7)] == names
    found = api.get("/clients", search="CLIENT-1")["items"]
    assert [c["client_id"] for c in found] == names[10:20]
    clients["client-03"].subscribe("a/+", qos=1)
    one = api.get("/clients/client-03")
    assert one["endpoint"] == "devices" and one["protocol"] == "MQTT 5.0"
    assert one["filters"] == [{"filter": "a/+", "qos": 1}]
    assert one["address"].startswith("127.0.0.1:")
    api.ask("DELETE", "/clients/client-03", 204)
    clients["client-03"].expect_fault(0x98)  # administrative action
    api.get("/clients/client-03", 404)
    api.ask("DELETE", "/clients/client-03", 404)
    api.get("/clients/nobody", 404)
    api.get("/clients/%ff", 400)


def test_a_client_id_may_hold_anything(api, raw):
    name = "a/b c?d%é🚂"
    raw(api.gateway.port).connect(name)
    assert api.get("/clients/" + urllib.parse.quote(name, safe=""))["client_id"] == name


def test_sessions_with_queues_end(api, raw):
    away = raw(api.gateway.port)
    away.connect("away", props=b"\x11\x00\x00\x02\x58")
    away.subscribe("jobs/#", qos=1)
    away.send(b"\xe0\x00")
    away.expect_closed()
    there = raw(api.gateway.port)
    there.connect("there")
    for i in range(3):
        there.publish("jobs/1", b"12345", 1, packet_id=i + 1)
    assert [s["client_id"] for s in api.get("/sessions")["items"]] == ["away", "there"]
    (session,) = api.get("/sessions", state="disconnected")["items"]
    assert session["queue"] == {"messages": 3, "bytes": 3 * len("jobs/112345")}
    assert 0 < session["expires_s"] <= 600
    assert [s["client_id"] for s in api.get("/sessions", state="connected")["items"]] == ["there"]
    api.get("/sessions", 400, state="asleep")
    api.ask("DELETE", "/clients/away", 404)  # it has no connection
    api.ask("DELETE", "/sessions/away", 204)
    api.get("/sessions/away", 404)
    api.gateway.wait_metric(3, "trestle_messages_dropped_total", reason="session_ended")
    api.ask("DELETE", "/sessions/there", 204)
    api.ask("DELETE", "/sessions/there", 404)


def test_subscriptions_in_order_and_by_topic(api, raw):
    for name in ("ann", "bob"):
        client = raw(api.gateway.port)
        client.connect(name)
        for i in range(7):
            client.subscribe(f"f/{i}/+", qos=i % 3)
        client.subscribe("$share/team/x/#", qos=1)
    everything = api.pages("/subscriptions", 3)
    keys = [(s["client_id"], s["group"] or "", s["filter"]) for s in everything]
    assert len(keys) == 16 and len(set(keys)) == 16
    assert [k[0] for k in keys] == ["ann"] * 8 + ["bob"] * 8
    assert len(api.pages("/subscriptions", 3, client="bob")) == 8
    found = api.get("/subscriptions", topic="f/2/z")["items"]
    assert [(s["client_id"], s["filter"], s["qos"]) for s in found] == \
        [("ann", "f/2/+", 2), ("bob", "f/2/+", 2)]
    (shared, _) = api.get("/subscriptions", topic="x/1")["items"]
    assert shared["group"] == "team" and shared["filter"] == "x/#"
    api.get("/subscriptions", 400, topic="f/#")
    api.get("/subscriptions", 400, after="nonsense")


def test_retained_messages_are_browsed_and_deleted(api, raw):
    client = raw(api.gateway.port)
    client.connect()
    for i in range(12):
        client.publish(f"house/{i:02}/lamp", b"on", 1, retain=True, packet_id=i + 1)
    client.publish("house", b"\xff", 1, retain=True, packet_id=99)
    items = api.pages("/retained", 5, filter="house/#")
    assert [m["topic"] for m in items] == ["house"] + [f"house/{i:02}/lamp" for i in range(12)]
    assert items[0]["encoding"] == "base64" and items[1]["payload"] == "on"
    assert items[1]["endpoint"] == "devices"
    levels = api.pages("/topics", 5, below="house")
    assert [(x["level"], x["has_below"], x["message"]) for x in levels] == \
        [(f"{i:02}", True, None) for i in range(12)]
    assert api.get("/topics", below="house/03")["items"][0]["message"]["payload"] == "on"
    assert api.ask("DELETE", "/retained?topic=house/03/lamp") == {"deleted": 1, "next": None}
    api.ask("DELETE", "/retained?topic=house/03/lamp", 404)
    assert api.ask("DELETE", "/retained?filter=house/%2B/lamp")["deleted"] == 11
    assert [m["topic"] for m in api.get("/retained", filter="house/#")["items"]] == ["house"]
    api.get("/retained", 400, filter="a/#/b")
    api.ask("DELETE", "/retained?filter=a&topic=b", 400)
    api.ask("DELETE", "/retained", 400)


def test_explain(api):
    rules = api.get("/explain", topic="sensors/hall/1")["rules"]
    assert [(r["route"], r["verdict"]) for r in rules] == \
        [("hall", "matches"), ("temperatures", "overruled"), ("encode", "misses")]
    assert rules[0]["frames"] == ["hall.1", "<payload>"]
    excluded = api.get("/explain", topic="sensors/secret/1")
    assert not excluded["taken"] and excluded["rules"][0]["verdict"] == "excluded"
    back = api.get("/explain", endpoint="ingest", key="t.roof.2")
    assert back["taken"] and back["rules"][0]["result"] == "sensors/roof/2"
    api.get("/explain", 400)
    api.get("/explain", 400, topic="a/#")
    api.get("/explain", 400, endpoint="jobs", key="x")
    api.get("/explain", 400, topic="a", endpoint="ingest", key="b")


def test_publish(api, raw):
    client = raw(api.gateway.port)
    client.connect()
    client.subscribe("test/#", qos=1)
    publish = lambda expected=200, **body: api.ask("POST", "/publish", expected, body)
    assert publish(topic="test/1", payload="ü") == {"outcome": "accepted"}
    assert client.expect_message().payload == "ü".encode()
    publish(topic="test/2", payload="/wA=", encoding="base64", qos=0)
    assert client.expect_message().payload == b"\xff\x00"
    publish(topic="test/3", payload={"a": [1, None]}, encoding="json", retain=True, qos=0)
    assert json.loads(client.expect_message().payload) == {"a": [1, None]}
    assert publish(topic="nobody/wants/it") == {"outcome": "no_subscriber"}
    # The route's queue has room for one; the second waits, and is given back after block_ms.
    assert publish(topic="video/1", payload="x") == {"outcome": "accepted"}
    assert publish(topic="video/2", payload="x") == {"outcome": "queue_full"}
    for wrong in ({}, {"topic": 1}, {"topic": "a/#"}, {"topic": "$SYS/x"},
                  {"topic": "a", "qos": 3}, {"topic": "a", "retain": "yes"},
                  {"topic": "a", "payload": "=", "encoding": "base64"},
                  {"topic": "a", "encoding": "rot13", "payload": "x"},
                  {"topic": "a", "payloud": "x"}):
        publish(400, **wrong)
    api.ask("POST", "/publish", 400, "not json")


def test_publish_tells_of_a_route_without_receiver(gateway):
    api = Api(gateway(endpoints={"pub": {"socket": "pub"}},
                      routes=[route("r", "a/{x}", "a.{x}", to="pub", no_receiver="report")]))
    assert api.ask("POST", "/publish", body={"topic": "a/1"}) == {"outcome": "no_receiver"}


def test_sys_topics_that_were_deleted_come_back(gateway):
    api = Api(gateway(hub={"sys_interval_s": 1}))
    version = lambda: api.get("/retained", filter="$SYS/broker/version")["items"]
    wait_until(version, "no $SYS topics")
    api.ask("DELETE", "/retained?filter=$SYS/%23")
    wait_until(version, "they do not come back")


def test_tail_shows_what_passes_and_changes_nothing(api, raw):
    tail = Tail(api, "filter=t/%23")
    assert tail.status == 200
    assert tail.event() == ("status", {"filter": "t/#", "skipped": 0})
    client = raw(api.gateway.port)
    client.connect("me")
    # Nobody subscribes: a tail is no subscriber.
    assert client.publish("t/1", b"hello", 1, packet_id=1) == 0x10
    _, message = tail.event("message")
    api.description.validate(message, {"$ref": "#/components/schemas/TailMessage"})
    assert (message["topic"], message["payload"], message["client_id"], message["qos"]) == \
        ("t/1", "hello", "me", 1)
    client.publish("t/2", b"x" * 5000, 1, packet_id=2)
    _, message = tail.event("message")
    assert message["truncated"] and message["size"] == 5000 and len(message["payload"]) == 2048
    client.publish("t/3", b"x", 1, packet_id=3, props=b"\x26\0\1a\0\1b" * 1000)
    _, message = tail.event("message")
    assert message["properties"] == {"user": [["a", "b"]] * 32} and message["properties_truncated"]
    client.publish("other", b"", 1, packet_id=4)
    assert tail.event()[0] == "status"
    tail.close()
    for wrong in ("", "filter=a/%23/b", "filter=a&rate=0", "filter=a&rate=100000", "filtre=a"):
        api.get("/tail?" + wrong, 400)


def test_tail_is_rate_limited_and_counts_the_rest(api, raw):
    tail = Tail(api, "filter=%23&rate=10")
    tail.event("status")
    client = raw(api.gateway.port)
    client.connect()
    for _ in range(500):
        client.publish("fast", b"x")
    client.ping()
    shown = 0
    while True:
        name, data = tail.event()
        shown += name == "message"
        if name == "status" and shown + data["skipped"] == 500:
            break
    assert shown < 100
    tail.close()


def test_tails_are_bounded_and_leave_with_their_readers(gateway, raw):
    api = Api(gateway(admin_extra={"max_tails": 2}))
    tails = [Tail(api, "filter=a"), Tail(api, "filter=a")]
    assert [t.event()[0] for t in tails] == ["status", "status"]
    api.get("/tail?filter=a", 503)
    tails[0].close()
    more = []

    def admitted():
        more.append(Tail(api, "filter=a"))
        return more[-1].status == 200

    wait_until(admitted, "no room after a reader has gone")
    for one in [*tails[1:], *more]:
        one.close()


def test_a_reader_that_does_not_read_is_dropped(gateway, raw):
    api = Api(gateway(admin_extra={"tail_rate": 1000, "max_tails": 1}))
    tail = Tail(api, "filter=%23", receive_buffer=4096)
    tail.event("status")
    client = raw(api.gateway.port)
    client.connect()
    subscriber = raw(api.gateway.port)
    subscriber.connect()
    subscriber.subscribe("big")

    def gone():
        # Traffic flows all the while.
        for _ in range(100):
            client.publish("big", b"x" * 2000)
            subscriber.expect_message()
        other = Tail(api, "filter=a")
        other.close()
        return other.status == 200

    wait_until(gone, "a reader that does not read holds its tail for ever", every=0.1)
    tail.close()


def test_log_level(api):
    assert api.get("/log") == {"level": "info", "format": "text"}
    assert api.ask("PUT", "/log", body={"level": "debug"})["level"] == "debug"
    assert api.get("/log")["level"] == "debug"
    for wrong in ({}, {"level": "loud"}, {"level": 1}, {"level": "info", "more": 1}):
        api.ask("PUT", "/log", 400, wrong)
    api.ask("PUT", "/log", 400, "{")


def test_config_as_loaded_with_secrets_masked(gateway):
    one = gateway(admin_extra={"token": "very-secret-token"})
    api = Api(one, "very-secret-token")
    config = api.get("/config")
    assert config["admin"]["token"] == "********"
    assert config["endpoints"]["devices"]["listen"] == [one.address("devices")]
    assert "very-secret" not in json.dumps(config)


def test_the_token_opens_everything_but_probes_and_the_page(gateway):
    one = gateway(admin_extra={"token": "open sesame"})
    api = Api(one, "open sesame")
    for path, method in sorted(api.description.operations()):
        asked = path.replace("{client_id}", "x")
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "open sesame"}):
            closed = Api.__new__(Api)
            closed.gateway, closed.headers, closed.description = one, headers, api.description
            closed.ask(method, asked, 401)
    for open_path in ("/", "/app.js", "/healthz", "/readyz"):
        assert one.get(open_path)[0] == 200
    assert one.get("/metrics")[0] == 401
    api.get("/stats")


def test_pages_of_other_origins_are_refused(api):
    api.ask("GET", "/stats", 403, headers={"Origin": "http://evil.example"})
    api.ask("POST", "/publish", 403, {"topic": "a"}, headers={"Origin": "null"})
    own = api.gateway.admin
    api.ask("POST", "/publish", 200, {"topic": "a"}, headers={"Origin": own})
    # A name that was made to lead here.
    status, _, _ = api.raw("GET", "/stats", headers={"Host": "evil.example"})
    assert status == 403
    assert api.raw("GET", "/stats", headers={"Host": "localhost"})[0] == 200


def test_reload(api):
    config = api.gateway.config
    config["routes"].append(route("more", "more/{x}", "more.{x}", to="jobs"))
    del config["routes"][1]
    api.gateway.write_config()
    assert api.ask("POST", "/reload") == {"added": ["more"], "removed": ["hall"], "changed": []}
    names = [r["name"] for r in api.get("/routes")["items"]]
    assert names == ["temperatures", "encode", "more"]
    assert [r["name"] for r in api.get("/config")["routes"]] == names
    config["routes"][0]["to"] = "nowhere"
    api.gateway.write_config()
    problem = api.ask("POST", "/reload", 409)
    assert any("routes[0].to" in fault for fault in problem["faults"])
    assert [r["name"] for r in api.get("/routes")["items"]] == names


def test_what_a_reload_refuses_it_leaves_alone(api):
    config, before = api.gateway.config, api.get("/config")
    for key, value, fault in (
            ("routes", [route("empty", "", "k", to="jobs")], "routes[0].mqtt"),
            ("admin", {**config["admin"], "max_tails": 1}, "admin.max_tails")):
        api.gateway.write_config({**config, key: value})
        problem = api.ask("POST", "/reload", 409)
        assert any(fault in line for line in problem["faults"]), problem
        api.gateway.signal(signal.SIGHUP)
        api.gateway.wait_metric(0, "trestle_config_last_reload_successful")
        assert api.get("/config") == before
        assert not api.gateway.metrics().by("route", "trestle_route_info").get("empty")
        api.gateway.write_config(config)
        api.ask("POST", "/reload")
        api.gateway.wait_metric(1, "trestle_config_last_reload_successful")


def test_drain(api):
    assert api.ask("POST", "/drain", 202) == {"draining": True}
    assert api.gateway.wait() == 0
    assert "draining for at most" in api.gateway.log()


def test_workers_without_a_router(api):
    assert api.get("/workers") == {"items": [], "next": None}
    api.get("/workers", 400, endpoint="nowhere")
    api.get("/workers", 400, after="nowhere:1")
    api.get("/workers", 400, after="jobs:1", endpoint="telemetry")
    assert api.get("/workers", after="jobs:1", endpoint="jobs")["items"] == []


def test_workers_with_leases(gateway, raw):
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[route("work", "work/{id}", "encode", to="workers")])
    api, context = Api(one), zmq.Context()
    kept = [Worker(context, one.address("workers"), b"encode") for _ in range(3)]
    try:
        wait_until(lambda: len(api.get("/workers")["items"]) == len(kept), "not all workers")
        everyone = api.pages("/workers", 1)
        assert [w["service"] for w in everyone] == ["encode"] * 3
        ids = [w["id"] for w in everyone]
        assert [w["id"] for w in api.pages("/workers", 1, search="ENCO")] == ids
        assert [w["id"] for w in api.get("/workers", limit=1, search=ids[2])["items"]] == ids[2:]
        assert api.get("/workers", search="decode") == {"items": [], "next": None}
        device = raw(one.port)
        device.connect()
        device.publish("work/1", b"film", 1, packet_id=1)

        def busy():
            return [w for w in api.get("/workers", endpoint="workers")["items"] if w["leases"]]

        (worker,) = wait_until(busy, "nobody has the job")
        assert worker["state"] == "busy" and worker["in_flight"] == 1
        assert worker["leases"][0]["route"] == "work"
        assert worker["protocol"] == "mdp 0.1"
    finally:
        context.destroy(linger=0)


def test_the_description_is_openapi(api):
    document = api.description.document
    assert document["openapi"] == "3.1.0"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["operationId"] and operation["summary"], (path, method)
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_top_shows_rates_by_route_and_endpoint(api, raw):
    client = raw(api.gateway.port)
    client.connect("topper")
    done = subprocess.run([api.gateway.program, "top", "--config", api.gateway.config_file,
                           "--interval", "0.2"], capture_output=True, text=True, timeout=PATIENCE,
                          check=True)
    lines = done.stdout.splitlines()
    assert any(line.startswith("1 clients") for line in lines), done.stdout
    for name in ("devices", "telemetry", "jobs", "ingest", "encode", "hall", "temperatures"):
        assert any(line.startswith(name + " ") for line in lines), name
    assert "\x1b" not in done.stdout
