"""The command line: exit codes, and faults that are told plainly."""

import json
import pathlib
import shutil
import socket
import subprocess

import jsonschema
import pytest
from harness import make_gateway, route
from support.gateway import BUILD, PROGRAM, ROOT, run_program


@pytest.fixture
def good(tmp_path):
    """A config without faults, not started."""
    one = make_gateway(tmp_path, endpoints={"telemetry": {"socket": "pub"},
                                            "ingest": {"socket": "pull"}},
                       routes=[route("t", "sensors/{site}/{device}", "t.{site}.{device}",
                                     to="telemetry", source="ingest")])
    one.write_config()
    return one


def test_version():
    done = run_program("--version")
    assert done.returncode == 0 and "trestle" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("arguments", [["dance"], ["serve", "--nonsense"], ["explain"], []],
                         ids=["command", "option", "missing", "none"])
def test_wrong_use(arguments, tmp_path):
    done = run_program(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip()


def test_check_is_happy(good):
    done = run_program("check", "--config", good.config_file)
    assert done.returncode == 0, done.stderr


def test_default_config_of_the_project():
    """Each warning that it gives is explained in the file."""
    done = run_program("check", "--config", ROOT / "config/trestle.json")
    assert done.returncode == 0, done.stderr + done.stdout
    assert all("warning: routes[0].zmq: " in line for line in done.stderr.splitlines())


@pytest.mark.parametrize("example", sorted((ROOT / "config/examples").glob("*.json")),
                         ids=lambda path: path.stem)
def test_examples_of_the_project(example):
    done = run_program("check", "--config", example,
                       "--set", "admin.token=for a secret that is not mounted here")
    assert done.returncode == 0, done.stderr + done.stdout


def test_schema_accepts_the_default_config(good):
    """The schema is printed from what validates; a good config satisfies it."""
    done = run_program("schema")
    assert done.returncode == 0
    schema = json.loads(done.stdout)
    jsonschema.validate(good.config, schema)
    good.config["endpoints"]["devices"]["no_such_option"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good.config, schema)


def test_all_faults_at_once(good):
    """Each with its path; a misspelt key with a suggestion; exit 2."""
    config = good.config
    config["endpoints"]["devices"]["maximum_packet_sise"] = 100
    config["endpoints"]["telemetry"]["send_hwm"] = "many"
    config["endpoints"]["strange"] = {"plugin": "carrier_pigeon"}
    config["routes"].append(route("t", "a/{x}", "b.{x}", to="telemetry"))      # name taken
    config["routes"].append(route("u", "a/{x}", "b.{x}", to="nobody"))
    config["routes"].append(route("v", "a/#", "b.{y}", to="telemetry"))
    config["shards"] = -1
    good.write_config()
    done = run_program("check", "--config", good.config_file)
    assert done.returncode == 2
    said = done.stdout + done.stderr
    for part in ("endpoints.devices", "maximum_packet_size", "endpoints.telemetry.send_hwm",
                 "endpoints.strange", "carrier_pigeon", "routes[1]", "routes[2]", "nobody",
                 "routes[3]", "shards"):
        assert part in said, f"{part!r} is missing in:\n{said}"


def test_refused_filters_are_filters(good):
    """Wherever they may be written."""
    endpoints = good.config["endpoints"]
    some = {"refuse_filters": ["a/#/b", "good/+", "", "x+"]}
    endpoints["devices"].update(some)
    endpoints["web"] = {"plugin": "websocket", "listen": ["ws://127.0.0.1:0"], "mqtt": some,
                        "json": some}
    good.write_config()
    done = run_program("check", "--config", good.config_file)
    assert done.returncode == 2
    for place in ("devices", "web.mqtt", "web.json"):
        faulty = [i for i in range(4)
                  if f"endpoints.{place}.refuse_filters[{i}]: " in done.stderr]
        assert faulty == [0, 2, 3], done.stderr


@pytest.mark.parametrize("text", ["", "{", "[]", '{"endpoints": 3}', '{"endpoints": {}} trailing',
                                  "\x00\x01", '{"endpoints": {"a": {"plugin": "mqtt",}}}x'],
                         ids=["empty", "cut", "array", "number", "trailing", "binary", "comma"])
def test_broken_file(tmp_path, text):
    file = tmp_path / "broken.json"
    file.write_text(text)
    for command in ("check", "serve"):
        done = run_program(command, "--config", file)
        assert done.returncode == 2, done.stderr
        assert "broken.json" in done.stdout + done.stderr


def test_missing_file(tmp_path):
    done = run_program("serve", "--config", tmp_path / "nowhere.json")
    assert done.returncode == 2 and "nowhere.json" in done.stderr


def test_comments_and_environment(good):
    text = json.dumps(good.config, indent=1).replace('"info"', '"${TRESTLE_TEST_LEVEL:-info}"')
    good.config_file.write_text("// a comment\n/* another */\n" + text)
    assert run_program("check", "--config", good.config_file).returncode == 0
    done = run_program("check", "--config", good.config_file, env={"TRESTLE_TEST_LEVEL": "loud"})
    assert done.returncode == 2 and "log.level" in done.stdout + done.stderr


def test_unset_environment_is_a_fault(good):
    good.config["routes"][0]["description"] = "${NOT_SET_ANYWHERE}"
    good.write_config()
    done = run_program("check", "--config", good.config_file)
    assert done.returncode == 2 and "NOT_SET_ANYWHERE" in done.stdout + done.stderr


def test_set_overrides(good):
    done = run_program("check", "--config", good.config_file, "--set", "shards=3")
    assert done.returncode == 0, done.stderr
    done = run_program("check", "--config", good.config_file, "--set", "log.level=loud")
    assert done.returncode == 2


@pytest.mark.parametrize("rule,said", [
    (route("x", "a/{x}{y}", "k.{x}.{y}", to="telemetry", source="ingest"), "x"),
    (route("x", "a/{x}/{y}", "k.{x}{y}", to="telemetry", source="ingest"), "k."),
    (route("x", "a/{x}/{y}", "k.{x}", to="telemetry", source="ingest"), "y"),
    (route("x", "a/{x}", "k.{x}", to="devices"), "devices"),
    (route("x", "a/{x}", "k.{x}"), "to"),
    (route("x", "a/{x:[}", "k.{x}", to="telemetry"), "["),
    (route("x", "a/{rest...}/b", "k", to="telemetry"), "rest"),
    (route("x", "a/{x", "k.{x}", to="telemetry"), "{"),
    (route("x", "a/+", "k", to="telemetry"), "+"),
], ids=["touch_in_topic", "touch_in_key", "missing", "not_zmq", "no_end", "regex", "rest_not_last",
        "open_brace", "wildcard"])
def test_route_faults(good, rule, said):
    good.config["routes"].append(rule)
    good.write_config()
    done = run_program("check", "--config", good.config_file)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "routes[1]" in done.stdout + done.stderr
    assert said in done.stdout + done.stderr


def test_beyond_loopback_needs_leave(good):
    good.config["endpoints"]["devices"]["listen"] = ["mqtt://0.0.0.0:0"]
    good.write_config()
    done = run_program("check", "--config", good.config_file)
    assert done.returncode == 2 and "anonymous" in done.stdout + done.stderr
    good.config["endpoints"]["devices"]["anonymous"] = True
    good.write_config()
    assert run_program("check", "--config", good.config_file).returncode == 0


def test_explain_both_ways(good):
    done = run_program("explain", "--config", good.config_file, "sensors/north/7")
    assert done.returncode == 0
    for part in ("t.north.7", "telemetry", "t"):
        assert part in done.stdout
    done = run_program("explain", "--config", good.config_file, "--zmq", "ingest", "t.north.7")
    assert done.returncode == 0 and "sensors/north/7" in done.stdout
    done = run_program("explain", "--config", good.config_file, "nothing/matches")
    assert "t.north" not in done.stdout


def test_explain_a_key_that_two_routes_take(good):
    """Only the more specific one brings it in."""
    good.config["routes"].append(route("seven", "sensor/7", "t.north.7", source="ingest"))
    good.write_config()
    done = run_program("explain", "--config", good.config_file, "--zmq", "ingest", "t.north.7")
    assert "route t: overruled" in done.stdout and "sensor/7" in done.stdout
    assert "route seven comes from the same endpoint and is more specific" in done.stdout


def test_explain_a_key_that_a_sub_endpoint_does_not_ask_for(good):
    good.config["endpoints"]["ingest"].update(socket="sub", subscribe=["t.south."])
    good.write_config()
    for key, arrives in (("t.south.7", True), ("t.north.7", False)):
        done = run_program("explain", "--config", good.config_file, "--zmq", "ingest", key)
        assert ("does not subscribe to the key" in done.stdout) is not arrives


@pytest.mark.parametrize("endpoint", ["devices", "telemetry", "ingest", "admin"])
def test_port_in_use(good, endpoint):
    """Exit 1, and one plain line that names the endpoint or its address."""
    address = good.admin if endpoint == "admin" else good.address(endpoint)
    port = int(address.rsplit(":", 1)[1])
    with socket.create_server(("127.0.0.1", port)):
        done = run_program("serve", "--config", good.config_file)
    assert done.returncode == 1, done.stderr
    said = (done.stdout + done.stderr).splitlines()
    telling = [line for line in said if str(port) in line and "in use" in line.lower()]
    assert len(telling) == 1, said


@pytest.fixture
def copy_of_program(tmp_path):
    """The program and its libraries in a folder of the test's own, to change plugins in."""
    if not (BUILD / "lib/trestle/plugins").is_dir():
        pytest.skip("plugins are linked in")
    target = tmp_path / "copy"
    shutil.copytree(BUILD / "lib", target / "lib", symlinks=True,
                    ignore=shutil.ignore_patterns("*.a"))
    (target / "bin").mkdir()
    shutil.copy2(PROGRAM, target / "bin/trestle")
    return target


def serve_copy(folder, config):
    return subprocess.run([folder / "bin/trestle", "serve", "--config", config], text=True,
                          capture_output=True, timeout=20, check=False)


def plugin_file(folder, name):
    (found,) = [f for f in (folder / "lib/trestle/plugins").iterdir() if name in f.name]
    return found


def test_missing_plugin(good, copy_of_program):
    plugin_file(copy_of_program, "zmq").unlink()
    done = serve_copy(copy_of_program, good.config_file)
    assert done.returncode == 2 and "zmq" in done.stderr


@pytest.mark.parametrize("content", [b"", b"not a plugin at all\n", "library"],
                         ids=["empty", "text", "another_library"])
def test_file_that_is_no_plugin(good, copy_of_program, content):
    """Told by name; nothing crashes."""
    file = plugin_file(copy_of_program, "zmq")
    if content == "library":
        shutil.copy2(pathlib.Path(zlib_path()), file)
    else:
        file.write_bytes(content)
    done = serve_copy(copy_of_program, good.config_file)
    assert done.returncode in (1, 2) and "zmq" in done.stderr


def zlib_path():
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True)
    lines = listing.stdout.splitlines()
    return next(line.split(" => ")[1] for line in lines if "libz.so.1" in line)


def test_schema_in_the_tree_is_the_programs():
    """config/trestle.schema.json, which editors use, is what `trestle schema` prints."""
    kept = (ROOT / "config/trestle.schema.json").read_text()
    printed = run_program("schema").stdout
    assert kept == printed, "run: trestle schema > config/trestle.schema.json"


def test_top_without_a_server(good):
    done = run_program("top", "--config", good.config_file)
    assert done.returncode == 1 and "trestle top: " in done.stderr
