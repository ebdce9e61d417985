"""JSON clients for tests: the package `websockets`, in a thread of its own."""

import asyncio
import contextlib
import json
import threading

import websockets

from support.waiting import PATIENCE

SUBPROTOCOL = "trestle.v1+json"


class JsonClient:
    """One client; what it is told arrives in order by `receive`, answers by `call`."""

    def __init__(self, loop, url, **options):
        self.loop = loop
        self.kept = []  # messages that came while an answer was waited for
        self.last_id = 0
        options.setdefault("max_size", None)
        options.setdefault("compression", None)
        self.socket = self.wait(self._connect(url, options))

    @staticmethod
    async def _connect(url, options):
        return await websockets.connect(url, **options)

    def wait(self, what):
        async def whole():
            return await asyncio.wait_for(what, PATIENCE)
        return asyncio.run_coroutine_threadsafe(whole(), self.loop).result(PATIENCE + 5)

    def send(self, frame):
        """A dict as JSON, text or bytes as they are."""
        text = json.dumps(frame) if isinstance(frame, dict) else frame
        self.wait(self.socket.send(text))

    def receive_text(self):
        return self.kept.pop(0) if self.kept else self.wait(self.socket.recv())

    def receive(self):
        return json.loads(self.receive_text())

    def answer(self, wanted):
        """The answer to this id; what comes before it is kept."""
        before = []
        try:
            while True:
                text = self.receive_text()
                frame = json.loads(text)
                if "op" not in frame and frame["id"] == wanted:
                    return frame
                before.append(text)
        finally:
            self.kept = before + self.kept

    def call(self, op, **fields):
        self.last_id += 1
        self.send({"op": op, "id": self.last_id, **fields})
        return self.answer(self.last_id)

    def done(self, op, **fields):
        answer = self.call(op, **fields)
        assert answer.get("ok") is True, answer
        return answer

    def error(self, op, **fields):
        answer = self.call(op, **fields)
        assert answer["ok"] is False and answer["error"]["message"], answer
        return answer["error"]["code"]

    def message(self):
        frame = self.receive()
        assert frame.get("op") == "message", frame
        return frame

    def wait_closed(self):
        """The close code; whatever still comes is dropped."""
        self.wait(self.socket.wait_closed())
        return self.socket.close_code

    def close(self):
        self.wait(self.socket.close())


@contextlib.contextmanager
def json_clients():
    """A function that opens clients: open_one(url, **options of websockets.connect)."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    opened = []

    def open_one(url, **options):
        opened.append(JsonClient(loop, url, **options))
        return opened[-1]

    try:
        yield open_one
    finally:
        for client in opened:
            if client.socket.transport:
                loop.call_soon_threadsafe(client.socket.transport.abort)
        asyncio.run_coroutine_threadsafe(_settle(), loop).result(PATIENCE)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _settle():
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    if tasks:
        await asyncio.wait(tasks, timeout=5)
    for task in tasks:
        task.cancel()
