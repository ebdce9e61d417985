"""A small chaos; the full one is a command, see support/chaos.py."""

import pytest
from support import chaos


@pytest.mark.parametrize("kind", ["worker", "bundles"])
def test_chaos(tmp_path, kind):
    jobs = {"worker": 1500, "bundles": 10_000}[kind]
    figures = chaos.run(tmp_path, jobs, workers=3, seed=7, kind=kind)
    assert figures["jobs"] == jobs
