"""The same random but legal scenario against Debian's mosquitto and Trestle shows the same.

More of it: `TRESTLE_SEEDS=1000-2000 pytest tests/blackbox/test_differential.py -x`. A scenario that
differs is told with its steps up to there.
"""

import os

import harness
import pytest
from legal_play import Play

STEPS = 60


def seeds():
    first, _, last = os.environ.get("TRESTLE_SEEDS", "1-6").partition("-")
    return range(int(first), int(last or first) + 1)


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory):
    with harness.mosquitto(tmp_path_factory.mktemp("mosquitto")) as peer:
        yield peer


@pytest.mark.parametrize("seed", seeds())
def test_same_deliveries(broker, mosquitto, seed):
    ours = Play(broker.port, seed).run(STEPS)
    theirs = Play(mosquitto.port, seed).run(STEPS)
    for number, (our, their) in enumerate(zip(ours, theirs)):
        steps = "".join(f"\n{step[0]} {step[1]}" for step in ours[:number + 1])
        assert our == their, f"step {number} of seed {seed} differs after:{steps}"
