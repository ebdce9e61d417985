"""A device: reports its temperature every second, and obeys orders to cool down.

device.py HOST [SECONDS_BETWEEN_READINGS]
"""

import random
import signal
import sys
import time

import paho.mqtt.client as mqtt


def main(host, pause=1.0):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    temperature = 20.0
    client = mqtt.Client("thermometer")

    def obey(_client, _data, message):
        nonlocal temperature
        print(f"{message.topic}: cooling down")
        temperature = 20.0

    client.on_connect = lambda *_: client.subscribe("devices/t1/command/+", qos=1)
    client.on_message = obey
    client.connect_async(host)
    client.loop_start()
    while True:
        temperature += random.uniform(0, 2)
        client.publish("sensors/hall/t1/temperature", f"{temperature:.1f}", qos=1)
        time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
