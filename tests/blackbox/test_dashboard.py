"""The dashboard in a browser: each panel shows the traffic of foreign clients. Screenshots are kept
in build/<preset>/screenshots."""

import json
import subprocess

import paho.mqtt.client as paho
import pytest
import zmq
from harness import make_gateway, route
from support.gateway import BUILD
from support.waiting import wait_until

SHOTS = BUILD / "screenshots"


@pytest.fixture
def town(tmp_path):
    """A gateway with something of everything, one shard."""
    with make_gateway(
            tmp_path, endpoints={"telemetry": {"socket": "pub"}, "jobs": {"socket": "push"},
                                 "ingest": {"socket": "pull"}, "web": {"plugin": "websocket"}},
            routes=[route("temperatures", "sensors/{site}/{device}/temperature",
                          "temperature.{site}.{device}", to="telemetry", source="ingest"),
                    route("encode", "video/{id}/uploaded", "encode.{id}", to="jobs",
                          queue={"max_messages": 400, "when_full": "drop_newest"}),
                    route("commands", "devices/{device}/command/{verb}", "commands.{device}.{verb}",
                          source="ingest")]) as gateway:
        yield gateway


class Device:
    """A paho client that keeps publishing, on its own thread's loop."""

    def __init__(self, port, name):
        self.client = paho.Client(client_id=name)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_until(self.client.is_connected, f"{name} is not connected")

    def publish(self, topic, payload, **more):
        self.client.publish(topic, payload, **more)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(town):
    one = Device(town.port, "thermometer-1")
    yield one
    one.close()


def moves(browser, name):
    """The page shows that messages flow through this route."""
    return f"""
        const line = document.querySelector('[data-route-line="{name}"]');
        return line && Number(line.dataset.rate) > 0"""


def while_publishing(device, topics, action):
    """Publishes to the topics, again and again, while `action` runs in the page."""
    import threading
    stop = threading.Event()

    def pump():
        turn = 0
        while not stop.wait(0.02):
            for topic in topics:
                device.publish(topic.format(turn % 5), f"{20 + turn % 70 / 10}")
            turn += 1

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        action()
    finally:
        stop.set()
        thread.join()


def test_picture_charts_and_panel(browser, town, device, sockets):
    sub, pull = sockets(zmq.SUB, subscribe=b""), sockets(zmq.PULL)
    sub.connect(town.address("telemetry"))
    pull.connect(town.address("jobs"))
    browser.open(town.admin)
    browser.wait_text("#state-text", "running")
    names = browser.eval("return [...document.querySelectorAll('[data-endpoint]')]"
                         ".map((e) => e.dataset.endpoint).sort()")
    assert names == ["devices", "ingest", "jobs", "telemetry", "web"]

    def look():
        browser.until(moves(browser, "temperatures"))
        browser.until(moves(browser, "encode"))
        quiet = browser.eval("return Number(document.querySelector("
                             "'[data-route-line=\"commands\"]').dataset.rate)")
        assert quiet == 0
        # Thicker than a quiet one, and of another colour.
        width = ("return ['encode', 'commands'].map((n) => Number(document.querySelector("
                 "`[data-route-line=\"${n}\"] .body`).getAttribute('stroke-width')))")
        busy, idle = browser.eval(width)
        assert busy > idle
        # A line that is chosen shows the route in full, with its last messages.
        browser.click('[data-route="temperatures"]')
        browser.wait_text("#route-name", "temperatures")
        browser.wait_text("#route-panel .message .topic", "sensors/hall/")
        browser.until("return Number(document.querySelector('.outcomes td.number')"
                      ".textContent.replaceAll(',', '')) > 0")
        browser.until("return document.querySelectorAll('#chart-rate .curve').length === 2")
        for scheme in ("light", "dark"):
            browser.open(town.admin, scheme=scheme)
            browser.until(moves(browser, "temperatures"))
            browser.click('[data-route="temperatures"]')
            browser.wait_text("#route-panel .message .topic", "sensors/hall/")
            browser.until("return document.querySelectorAll('#chart-rate .curve').length === 2")
            browser.shot(SHOTS / f"picture-{scheme}.png", whole=True)
        browser.open(town.admin, width=390, height=844)
        browser.until(moves(browser, "temperatures"))
        browser.shot(SHOTS / "picture-narrow.png", whole=True)
        assert browser.eval("return document.documentElement.scrollWidth") <= 390

    while_publishing(device, ["sensors/hall/t{}/temperature", "video/{}/uploaded"], look)
    assert browser.faults() == []


def test_a_route_waits_loses_and_an_endpoint_goes_down(browser, town, device, sockets):
    browser.open(town.admin)
    browser.wait_class('[data-endpoint="jobs"]', "alone")  # no worker yet
    for i in range(50):
        device.publish(f"video/{i}/uploaded", "x", qos=1)
    browser.wait_class('[data-route="encode"]', "waiting")
    browser.wait_text('[data-route="encode"]', "50 queued")
    browser.shot(SHOTS / "route-waits.png")

    def lose():
        browser.wait_class('[data-route="encode"]', "losing")
        browser.wait_text("#chart-drops .key", "queue full")
        browser.shot(SHOTS / "route-loses.png")

    while_publishing(device, ["video/{}/uploaded"] * 10, lose)
    pull = sockets(zmq.PULL)
    pull.connect(town.address("jobs"))
    browser.wait_class('[data-endpoint="jobs"]', "ready")
    browser.wait_class('[data-route="encode"]', "idle")
    pull.close()
    browser.wait_class('[data-endpoint="jobs"]', "alone")
    assert browser.faults() == []
    town.stop()
    browser.until("return document.body.classList.contains('gone')")
    browser.wait_text("#state-text", "does not answer")
    # The browser itself complains of connections refused; the page of nothing else.
    assert all("ERR_CONNECTION" in fault or "ERR_INCOMPLETE" in fault or "ERR_EMPTY" in fault
               for fault in browser.faults())


def test_what_nobody_subscribes_to_is_not_lost(browser, town, device):
    browser.open(town.admin)

    def look():
        browser.wait_class('[data-route="temperatures"]', "unheard")
        browser.wait_text("#chart-drops .key .s5", "no subscriber")  # no colour of alarm
        assert not browser.eval("return document.getElementById('total-dropped')"
                                ".classList.contains('bad')")

    while_publishing(device, ["sensors/hall/t{}/temperature"], look)


@pytest.mark.parametrize("width", [390, 900, 1440])
def test_names_stay_within_their_boxes(browser, tmp_path, width):
    long = "telemetry-of-the-northern-region-wwww-0"
    with make_gateway(tmp_path, endpoints={f"{long}{i}": {"socket": "pub"} for i in range(4)},
                      routes=[route(f"route-{long}{i}", f"a{i}/{{x}}", f"b{i}.{{x}}", f"{long}{i}")
                              for i in range(4)]) as one:
        browser.open(one.admin, width=width)
        browser.wait_text("#state-text", "running")
        beyond = browser.eval("""
            const inside = (text, box) => text.left >= box.left && text.right <= box.right;
            return [...document.querySelectorAll('.node, .pill')].filter((group) => {
              const box = group.querySelector('rect').getBoundingClientRect();
              return ![...group.querySelectorAll('text')].every((text) =>
                !text.textContent || inside(text.getBoundingClientRect(), box));
            }).map((group) => group.textContent)""")
        assert beyond == []
        assert browser.eval("return document.documentElement.scrollWidth") <= width


def test_every_route_of_many_can_be_seen(browser, tmp_path):
    routes = [route(f"r{i:02}", f"a{i}/{{x}}", f"b{i}.{{x}}", to="jobs") for i in range(30)]
    with make_gateway(tmp_path, endpoints={"jobs": {"socket": "push"}}, routes=routes) as one:
        browser.open(one.admin)
        browser.wait_text("#picture .more", "6 quieter routes")
        browser.do("select", selector="#route-choice", value="r29")
        browser.wait_text("#route-name", "r29")
        browser.press("Escape")
        browser.until("return document.getElementById('route-choice').value === ''")
        # What has stopped is shown before what flows.
        device = Device(one.port, "camera")
        try:
            device.publish("a29/x", "kept")
            browser.wait_class('[data-route="r29"]', "waiting")
        finally:
            device.close()
        assert browser.faults() == []


def test_clients_are_searched_and_disconnected(browser, town, device):
    others = [Device(town.port, f"lamp-{i:03}") for i in range(60)]
    try:
        browser.open(town.admin + "#clients")
        browser.wait_text("#clients tbody", "lamp-000")
        rows = "return document.querySelectorAll('#clients tbody tr').length"
        assert browser.eval(rows) == 50
        browser.click("#clients .tools button:text('More')")
        browser.wait_text("#clients tbody", "thermometer-1")
        browser.fill("#clients input", "lamp-01")
        browser.until(rows + " === 10")
        browser.shot(SHOTS / "clients.png", whole=True)
        browser.click("#clients [aria-label='Disconnect lamp-013']")
        browser.click("#clients [aria-label='Disconnect lamp-013']")
        town.wait_log("admin  disconnected lamp-013")
        assert browser.faults() == []
    finally:
        for one in others:
            one.close()


def test_a_button_keeps_the_focus_while_its_table_is_refreshed(browser, town, device):
    browser.open(town.admin + "#clients")
    browser.wait_text("#clients tbody", "thermometer-1")
    browser.do("focus", selector="#clients [aria-label='Disconnect thermometer-1']")
    browser.eval("window.row = document.querySelector('#clients tbody tr')")
    browser.until("return !window.row.isConnected")
    assert browser.eval("return document.activeElement.ariaLabel") == "Disconnect thermometer-1"
    browser.press("Enter")
    browser.wait_text("#clients .action", "Sure?")


def test_messages_follow_a_filter_and_are_published(browser, town, device):
    browser.open(town.admin + "#messages")
    browser.wait_text("#messages .note", "following")
    device.publish("rooms/kitchen", "warm <b>")
    device.publish("rooms/cellar", b"\xff\x00", retain=True)
    browser.wait_text("#messages .payload", "warm <b>")
    browser.wait_text("#messages .payload", "base64 /wA=")
    browser.fill("#messages [name=filter]", "rooms/kitchen/#")
    browser.click("#messages button:text('Follow')")
    browser.wait_text("#messages .note", "following")
    device.publish("rooms/attic", "not shown")
    device.publish("rooms/kitchen/oven", "hot")
    browser.wait_text("#messages .payload", "hot")
    assert "not shown" not in browser.text("#messages")
    # What the page publishes reaches a foreign subscriber.
    with subprocess.Popen(["mosquitto_sub", "-p", str(town.port), "-t", "from/page", "-C", "1",
                           "-W", "20"], stdout=subprocess.PIPE, text=True) as listener:
        town.wait_metric(1, "trestle_subscriptions")
        browser.fill("#messages [aria-label=Topic]", "from/page")
        browser.fill("#messages [aria-label=Payload]", "hello")
        browser.click("#messages button:text('Send')")
        browser.wait_text("#messages output", "accepted")
        assert listener.stdout.read() == "hello\n"
    browser.shot(SHOTS / "messages.png", whole=True)
    assert browser.faults() == []


def test_the_tree_of_retained_values(browser, town, device):
    for topic, value in (("house/hall/lamp", "on"), ("house/hall", "open"), ("garden", "wet")):
        device.publish(topic, value, qos=1, retain=True)
    town.wait_metric(lambda n: n >= 3, "trestle_retained_messages")
    browser.open(town.admin + "#topics")
    browser.wait_text("#topics .level", "garden")
    assert "lamp" not in browser.text("#topics"), "what is folded is not asked for"
    browser.click("#topics summary:has-text('house')")
    browser.click("#topics summary:has-text('hall')")
    browser.wait_text("#topics .level", "lamp")
    browser.wait_text("#topics .value", "on")
    browser.shot(SHOTS / "topics.png", whole=True)
    browser.fill("#topics input", "house/#")
    browser.press("Enter")
    browser.until("return document.querySelectorAll('#topics .leaf').length === 2")
    browser.do("focus", selector="#topics [aria-label='Delete the retained message on "
                                 "house/hall/lamp']")
    browser.press("Enter")
    browser.until("return document.querySelectorAll('#topics .leaf').length === 1")
    assert json.loads(town.get("/api/v1/retained?filter=house/%23")[1])["items"][0]["topic"] == \
        "house/hall"
    assert browser.faults() == []


def test_why_a_message_goes_where_it_goes(browser, town, device):
    device.client.subscribe("sensors/#", 1)
    town.wait_metric(1, "trestle_subscriptions")
    browser.open(town.admin + "#why")
    browser.fill("#why input", "sensors/hall/t1/temperature")
    browser.press("Enter")
    browser.wait_text("#why .rule.matches", "temperature.hall.t1")
    browser.wait_text("#why .rule.misses", "does not match")
    browser.wait_text("#why .listeners", "thermometer-1")
    browser.shot(SHOTS / "why.png", whole=True)
    browser.until("return document.querySelector('#why option[value=ingest]')")
    browser.do("select", selector="#why select", value="ingest")
    browser.fill("#why input", "commands.d17.restart")
    browser.press("Enter")
    browser.wait_text("#why .rule.matches", "devices/d17/command/restart")
    browser.fill("#why input", "unknown.key")
    browser.press("Enter")
    browser.wait_text("#why .answer", "No route takes it")
    assert browser.faults() == []


def test_by_keyboard_alone(browser, town, device):
    browser.open(town.admin)
    browser.until("return document.querySelector('[data-route=\"encode\"]')")
    browser.press("Tab")
    assert browser.eval("return document.activeElement.className") == "skip"
    browser.press("Enter")
    for _ in range(10):
        browser.press("Tab")
        if browser.eval("return document.activeElement.dataset.route ?? ''") == "encode":
            break
    browser.press("Enter")
    browser.wait_text("#route-name", "encode")
    browser.press("Escape")
    browser.until("return document.getElementById('route-panel').hidden")
    assert browser.eval("return document.activeElement.dataset.route") == "encode"
    browser.do("focus", selector="#tab-clients")
    browser.press("ArrowRight")
    browser.press("End")
    browser.until("return document.activeElement.id === 'tab-why' && "
                  "!document.getElementById('why').hidden")
    assert browser.faults() == []


def test_the_token_is_asked_for(browser, tmp_path):
    folder = tmp_path / "guarded"
    folder.mkdir()
    gateway = make_gateway(folder)
    gateway.config["admin"]["token"] = "open sesame"
    gateway.start(ready=False)
    try:
        wait_until(lambda: gateway.get("/readyz")[0] == 200, "not ready")
        browser.open(gateway.admin)
        browser.until("return document.getElementById('token-dialog').open")
        browser.shot(SHOTS / "token.png")
        browser.fill("#token", "wrong")
        browser.press("Enter")
        browser.wait_text("#token-fault", "not it")
        browser.fill("#token", "open sesame")
        browser.press("Enter")
        browser.wait_text("#state-text", "running")
        assert all("401" in fault for fault in browser.faults())
        gateway.stop()
    finally:
        gateway.kill()
