"""The rules themselves: each breach is found, and clean code is left alone."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import tidy  # noqa: E402

CLEAN = "// What it is.\n#pragma once\n\n#include <string>\n\n#include \"core/a.h\"\n"


def found(tmp_path, name, text):
    path = pathlib.Path(name)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    return [what for _, what in tidy.breaches(tmp_path, path)]


@pytest.mark.parametrize("name", ["src/core/b.h", "src/server/b.h", "plugins/mqtt/b.h"])
def test_clean(tmp_path, name):
    assert not found(tmp_path, name, CLEAN)


@pytest.mark.parametrize("name,text,said", [
    ("src/core/b.h", CLEAN + '#include "runtime/x.h"\n', "core may not include from runtime"),
    ("src/core/b.h", CLEAN + "#include <nlohmann/json.hpp>\n", "no sockets"),
    ("plugins/zmq/b.h", CLEAN + '#include "mqtt/x.h"\n', "zmq may not include from mqtt"),
    ("plugins/zmq/b.h", CLEAN + '#include "server/x.h"\n', "zmq may not include from server"),
    ("src/core/b.h", CLEAN + '#include "../x.h"\n', "leaves its room"),
    ("src/core/b.h", "#pragma once\n", "opens with a comment"),
    ("src/core/b.h", "// It.\n", "#pragma once is missing"),
    ("src/core/b.cpp", "// " + "x" * 98 + "\n", "101 columns"),
    ("src/core/b.cpp", "int x;\n" * 500, "500 lines"),
    ("src/core/b.cpp", "int x;  \n", "blanks"),
    ("src/core/b.cpp", "// TO" "DO: later\n", "unfinished"),
    ("src/core/b.cpp", "// [MQTT-" "3.1]\n", "not of the form"),
    ("src/core/b.cpp", "int x;", "no newline"),
    ("src/core/b.cpp", "#include <regex>\n", "too heavy"),
])
def test_breach(tmp_path, name, text, said):
    assert any(said in what for what in found(tmp_path, name, text))


@pytest.mark.parametrize("tag", ["[MQTT-3.1.2-22]", "[MQTT-4.6.0-2, -3]",
                                 "[MQTT-3.3.4-2, MQTT-3.3.4-3]"])
def test_tags_of_the_right_form(tmp_path, tag):
    assert not found(tmp_path, "src/core/b.cpp", f"// {tag}\n")
