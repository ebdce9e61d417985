"""A worker: hears all temperatures, and tells a device that is too hot to cool down.

worker.py SUBSCRIBE_AT PUSH_TO      (tcp://trestle:5556 tcp://trestle:5559)
"""

import signal
import sys

import zmq

TOO_HOT = 30.0


def main(subscribe_at, push_to):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    context = zmq.Context()
    readings, orders = context.socket(zmq.SUB), context.socket(zmq.PUSH)
    readings.connect(subscribe_at)
    readings.subscribe("temperature.")
    orders.connect(push_to)
    while True:
        key, payload = readings.recv_multipart()
        _, site, device = key.decode().split(".")
        print(f"{site}/{device}: {payload.decode()}")
        if float(payload) > TOO_HOT:
            orders.send_multipart([f"commands.{device}.cool".encode(), b"now"])


if __name__ == "__main__":
    main(*sys.argv[1:])
