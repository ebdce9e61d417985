"""The dashboard when something fails, ends or is beyond the first page: it says so, and goes on."""

import http.client
import json

import pytest
import zmq
from harness import route
from mqtt_bytes import subscribe
from support.majordomo import Worker

pytestmark = pytest.mark.parametrize("shards", [1])

# Stands in for the answer of one path, whatever the gateway would say.
ANSWER_FOR = """
const real = window.fetch;
const answer = %s;
window.fetch = (url, options) => (url.includes(%s)
  ? Promise.resolve(new Response(JSON.stringify(answer))) : real(url, options));
"""


def test_why_finds_who_comes_late(gateway, browser, raw):
    one = gateway()
    busy, late = raw(one.port), raw(one.port)
    busy.connect("a")
    # More than the API looks at for one page.
    busy.send(subscribe(busy.version, 1, *[f"other/{i}" for i in range(5000)]))
    busy.read()
    late.connect("zzz")
    late.subscribe("why/topic")
    browser.open(one.admin + "#why")
    browser.fill("#why input", "why/topic")
    browser.press("Enter")
    browser.wait_text("#why .listeners", "zzz")
    browser.fill("#why input", "why/nobody")
    browser.press("Enter")
    browser.wait_text("#why .result", "No client subscribes to it.")
    # A search that does not get to the end says so.
    browser.eval(ANSWER_FOR % ('{ items: [], next: "1:a" }', "'subscriptions'"))
    browser.press("Enter")
    browser.wait_text("#why .result", "None was found, but not all were looked at.")
    assert browser.faults() == []


def test_a_token_of_any_characters(gateway, browser):
    one = gateway(admin_extra={"token": "\u00f6ffne dich \u20ac"})
    browser.open(one.admin)
    browser.until("return document.getElementById('token-dialog').open")
    browser.fill("#token", "\u20ac")
    browser.press("Enter")
    browser.wait_text("#token-fault", "not it")
    browser.fill("#token", "\u00f6ffne dich \u20ac")
    browser.press("Enter")
    browser.wait_text("#state-text", "running")
    assert all("401" in fault for fault in browser.faults())


def test_a_route_whose_messages_cannot_be_followed_yet(gateway, browser, raw):
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[route(to="jobs")],
                  admin_extra={"max_tails": 1})
    other = http.client.HTTPConnection(one.admin.removeprefix("http://"))
    other.request("GET", "/api/v1/tail?filter=nothing")
    tail = other.getresponse()
    assert tail.status == 200
    browser.open(one.admin)
    browser.until("return document.querySelector('[data-route=\"r\"]')")
    browser.click('[data-route="r"]')
    browser.wait_text("#route-panel .fault", "admin.max_tails")
    browser.wait_text("#route-panel .fault", "Trying again")
    tail.close()
    other.close()
    browser.until("return document.querySelector('#route-panel .fault').textContent === ''")
    device = raw(one.port)
    device.connect()
    device.publish("a/1", b"seen")
    browser.wait_text("#route-panel .payload", "seen")


def test_messages_go_on_after_a_restart(gateway, browser, raw):
    one = gateway()
    browser.open(one.admin + "#messages")
    browser.wait_text("#messages .note", "following")
    browser.wait_text("#state-text", "running")
    one.stop()
    browser.wait_text("#messages .note", "Trying again")
    browser.wait_text("#state-text", "does not answer")
    one.start()
    browser.wait_text("#messages .note", "following")
    browser.wait_text("#state-text", "running")
    device = raw(one.port)
    device.connect()
    device.publish("from/the/new", b"one")
    browser.wait_text("#messages .topic", "from/the/new")


def test_a_filter_that_is_none_is_not_tried_again(gateway, browser):
    one = gateway()
    browser.open(one.admin + "#messages")
    browser.wait_text("#messages .note", "following")
    browser.fill("#messages [name=filter]", "a#")
    browser.press("Enter")
    browser.wait_text("#messages .note", "a topic filter")
    assert "again" not in browser.text("#messages .note")


def test_workers_beyond_the_first_page_are_found(gateway, browser, context):
    one = gateway(endpoints={"workers": {"socket": "router"}})
    kept = [Worker(context, one.address("workers"), b"encode", name=b"w%02d" % i)
            for i in range(60)]
    kept.append(Worker(context, one.address("workers"), b"rare", name=b"zz"))
    one.wait_metric(len(kept), "trestle_zmq_workers", endpoint="workers")
    browser.open(one.admin + "#workers")
    browser.wait_text("#workers tbody", "w49")
    assert "rare" not in browser.text("#workers tbody")
    browser.fill("#workers input", "RARE")
    browser.wait_text("#workers .note", "1 in all")
    browser.wait_text("#workers tbody", "zz")
    browser.fill("#workers input", "nowhere")
    browser.wait_text("#workers .note", "None matches.")
    assert browser.faults() == []


def test_what_is_cut_short_is_told(gateway, browser):
    one = gateway()
    browser.open(one.admin)
    message = {"time_ms": 0, "topic": "t", "payload": "begin", "encoding": "utf8", "size": 2048,
               "truncated": True, "qos": 1, "retain": False, "endpoint": "devices",
               "client_id": "c", "properties": {"content_type": "text", "user": [["unit", "C"]]},
               "properties_truncated": True}
    marks, title = browser.eval(f"""
        const {{ messageRow }} = await import('/messages.js');
        const marks = messageRow({json.dumps(message)}).querySelector('.marks');
        return [marks.textContent, marks.title]""")
    assert "of 2.0 KiB" in marks and "not all properties" in marks
    assert title.splitlines()[1:] == ["content_type: text", "unit: C"]


def test_ten_minutes_are_shown(gateway, browser):
    one = gateway()
    browser.open(one.admin)
    browser.wait_text("#state-text", "running")
    point = {"received": 1, "sent": 1, "dropped": {}, "wait_p50_s": None, "wait_p99_s": None}
    points = [{**point, "time_ms": 2000 * i, "steady_ms": 2000 * i} for i in range(301)]
    browser.eval(ANSWER_FOR % (json.dumps({"points": points}), "'history'"))
    browser.wait_text("#chart-rate .axis", "10 min ago")
    assert browser.faults() == []


def test_what_could_not_be_deleted_stays(gateway, browser, raw):
    one = gateway()
    device = raw(one.port)
    device.connect()
    device.publish("house/lamp", b"on", 1, packet_id=1, retain=True)
    one.wait_metric(lambda n: n >= 1, "trestle_retained_messages")
    browser.open(one.admin + "#topics")
    browser.fill("#topics input", "house/#")
    browser.press("Enter")
    browser.wait_text("#topics .level", "house/lamp")
    device.publish("house/lamp", b"", 1, packet_id=2, retain=True)
    device.ping()
    delete = "#topics [aria-label='Delete the retained message on house/lamp']"
    browser.do("focus", selector=delete)
    browser.press("Enter")
    browser.wait_text("#topics .note", "no retained message")
    browser.wait_text("#topics .level", "house/lamp")
