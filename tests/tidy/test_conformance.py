"""The check of the conformance table: each way to be wrong is found."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import conformance  # noqa: E402

TEST = """

# 5.0 [MQTT-1.5.4-1, -2]
# 3.1.1 [MQTT-1.5.3-1]
@pytest.mark.parametrize("x", [pytest.param(1, id="case")])
def test_a(x):
    pass
"""
GOOD = """## MQTT 5.0
| [MQTT-1.5.4-1] | s | `test_x.py::test_a[case]` |
| [MQTT-1.5.4-2] | s | `test_x.py::test_a` `unit/core/y_test.cpp::Suite.Case` |
| [MQTT-1.5.4-3] | s | none: a client's duty |
## MQTT 3.1.1
| [MQTT-1.5.3-1] | s | `test_x.py::test_a` |
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    monkeypatch.setattr(conformance, "SECTIONS", {"5.0": {"1.5.4": 3}, "3.1.1": {"1.5.3": 1}})

    def check(table=GOOD, test=TEST):
        for name, text in ((conformance.TABLE, table), ("tests/blackbox/test_x.py", test),
                           ("tests/unit/core/y_test.cpp", "TEST(Suite, Case) {}\n")):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return [what for _, what in conformance.breaches(tmp_path)]
    return check


def test_good(found):
    assert not found()


@pytest.mark.parametrize("old,new,said", [
    ("| [MQTT-1.5.4-2]", "| [MQTT-1.5.4-3]", "1.5.4-3 where 1.5.4-2 is next"),
    ("| [MQTT-1.5.4-3] | s | none: a client's duty |\n", "", "None where 1.5.4-3 is next"),
    ("| [MQTT-1.5.4-3] | s", "| [MQTT-" "1.5.4] | s", "not of the form"),
    ("none: a client's duty", "of course", "names no test"),
    ("test_x.py::test_a[case]", "test_z.py::test_a", "there is no tests/blackbox/test_z.py"),
    ("test_x.py::test_a[case]", "test_x.py::test_b", "no function test_b"),
    ("test_a[case]", "test_a[other]", "no case other"),
    ("Suite.Case", "Suite.Other", "no test Suite.Other"),
])
def test_table_is_wrong(found, old, new, said):
    assert any(said in what for what in found(table=GOOD.replace(old, new)))


@pytest.mark.parametrize("old,new,said", [
    ("-1, -2]", "-1]", "differ in 5.0 1.5.4-2"),
    ("# 3.1.1 [MQTT-1.5.3-1]", "# 3.1.1 [MQTT-1.5.3-1] [MQTT-2.2.2-1]", "differ in 3.1.1 2.2.2-1"),
])
def test_test_carries_other_tags(found, old, new, said):
    assert any(said in what for what in found(test=TEST.replace(old, new)))
