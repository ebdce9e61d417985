"""A worker of Trestle's own protocol that takes many jobs in one message: the example, and what
plugins/zmq/PROTOCOL.md says about bundles."""

import struct
import sys

from .gateway import ROOT

sys.path.insert(0, str(ROOT / "plugins/zmq/examples"))
from native_worker import HELLO, Worker  # noqa: E402

DELIVER_MANY, RELEASE = 0x83, 0x0b


class BundleWorker(Worker):
    """Belongs to the thread that uses it."""

    def __init__(self, context, address, service, window=100, bundle=50):
        self.bundle = bundle
        super().__init__(context, address, service, window)

    def hello(self):
        self.done = []
        self.send(HELLO, struct.pack(">II", self.window, self.bundle), self.service)

    def jobs_in(self, head, frames):
        yield from super().jobs_in(head, frames)
        if head[4] != DELIVER_MANY:
            return
        (packed,), at = frames, 0
        for tag, attempt, count in struct.iter_unpack(">QIH", head[5:]):
            body = []
            for _ in range(count):
                (size,) = struct.unpack_from(">I", packed, at)
                body.append(packed[at + 4:at + 4 + size])
                at += 4 + size
            yield tag, attempt, body
        assert at == len(packed)

    def release(self, *tags):
        self.send(RELEASE, struct.pack(f">{len(tags)}Q", *tags))
