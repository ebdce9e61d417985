"""JSON clients that others wrote: Node's `ws` and a browser's own WebSocket, with Python's
`websockets` at the other end (which drives all other tests of JSON too)."""

import contextlib
import json
import shutil
import subprocess

import pytest
from json_client import SUBPROTOCOL
from support.node import command
from support.waiting import PATIENCE


class Talk:
    """ws.mjs: lines in and out."""

    def __init__(self, process):
        self.process = process

    def say(self, line):
        self.process.stdin.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().rstrip("\n")

    def receive(self):
        return json.loads(self.hear())


@contextlib.contextmanager
def talk(url, subprotocol=None):
    arguments = command("ws.mjs", url, *([subprotocol] if subprotocol else []))
    with subprocess.Popen(arguments, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        try:
            yield Talk(process)
        finally:
            process.kill()


@pytest.mark.parametrize("subprotocol", [None, SUBPROTOCOL], ids=["none", "named"])
def test_ws_of_node(gateway, open_json, subprotocol):
    one = gateway(endpoints={"web": {"plugin": "websocket", "json": {"deflate": True}}})
    url = f"ws://127.0.0.1:{one.port_of('web')}/"
    python = open_json(url)
    python.done("subscribe", filter="from/node", qos=1)
    with talk(url, subprotocol) as node:
        opened = node.hear()
        assert opened.startswith(f"open {subprotocol or ''}".strip())
        assert "permessage-deflate" in opened
        node.say({"op": "subscribe", "id": 1, "filter": "to/#", "qos": 1})
        assert node.receive() == {"id": 1, "ok": True, "qos": 1}
        long = "caf\u00e9 " * 5000
        python.done("publish", topic="to/node", payload=long, qos=1)
        message = node.receive()
        assert message["payload"] == long
        node.say({"op": "ack", "id": 2, "delivery": message["delivery"]})
        assert node.receive() == {"id": 2, "ok": True}
        node.say({"op": "publish", "id": 3, "topic": "from/node", "payload": {"long": long},
                  "qos": 1})
        assert node.receive() == {"id": 3, "ok": True}
        assert json.loads(python.message()["payload"]) == {"long": long}
        node.say("close")
        assert node.hear() == "closed 1000"
        assert node.process.wait(PATIENCE) == 0


PAGE = """<script>
const socket = new WebSocket("URL", PROTOCOLS);
const tell = (frame) => socket.send(JSON.stringify(frame));
socket.onopen = () => tell({ op: "subscribe", id: 1, filter: "to/browser", qos: 1 });
socket.onmessage = (event) => {
  const frame = JSON.parse(event.data);
  if (frame.id === 1) {
    tell({ op: "publish", id: 2, topic: "browser/ready", payload: frame, qos: 1 });
  }
  if (frame.op !== "message") return;
  tell({ op: "ack", delivery: frame.delivery });
  tell({ op: "publish", id: 3, topic: "browser/saw", qos: 1,
         payload: { text: frame.payload, protocol: socket.protocol, deflate: socket.extensions } });
};
</script>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
@pytest.mark.parametrize("shards", [1])
@pytest.mark.parametrize("protocols", ["[]", f'["{SUBPROTOCOL}"]'], ids=["none", "named"])
def test_a_browser(gateway, open_json, tmp_path, protocols):
    one = gateway(endpoints={"web": {"plugin": "websocket", "allowed_origins": ["null"],
                                     "json": {"deflate": True}}})
    url = f"ws://127.0.0.1:{one.port_of('web')}/"
    python = open_json(url)
    python.done("subscribe", filter="browser/#", qos=1)
    page = tmp_path / "page.html"
    page.write_text(PAGE.replace("URL", url).replace("PROTOCOLS", protocols))
    arguments = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                 "--disable-dev-shm-usage", "--remote-debugging-port=0",
                 f"--user-data-dir={tmp_path / 'profile'}", page.as_uri()]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as browser:
        try:
            assert json.loads(python.message()["payload"]) == {"id": 1, "ok": True, "qos": 1}
            python.done("publish", topic="to/browser", payload="caf\u00e9 " * 1000, qos=1)
            saw = json.loads(python.message()["payload"])
            assert saw["text"] == "caf\u00e9 " * 1000
            assert saw["protocol"] == (SUBPROTOCOL if SUBPROTOCOL in protocols else "")
            assert "permessage-deflate" in saw["deflate"]
            one.wait_metric(1, "trestle_session_messages_total", endpoint="web", outcome="acked")
        finally:
            browser.kill()
