"""A small chaos; the full one is a command, see support/chaos.py."""

from support import chaos


def test_chaos(tmp_path):
    figures = chaos.run(tmp_path, jobs=1500, workers=3, seed=7)
    assert figures["jobs"] == 1500
