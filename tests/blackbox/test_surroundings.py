"""The environment lays values over the config, and what the surroundings withhold is told in one
sentence with an exit code other than 0: files, variables, rights, disks."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest
from harness import make_gateway, route
from mqtt_bytes import DISCONNECT, RawClient
from support.gateway import run_program
from support.waiting import free_ports, wait_until

AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all",
             "--bounding-set=-all", "--no-new-privs"]


def said_by(done):
    """All lines that a failed start left, but for those that only report progress."""
    return [line for line in (done.stdout + done.stderr).splitlines() if " info " not in line]


def one_sentence(done, code, *parts):
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = said_by(done)
    for part in parts:
        assert part in line, f"{part!r} is missing in: {line}"


@pytest.fixture
def folder():
    """A folder that everybody may read, unlike tmp_path."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="trestle-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def config(folder):
    one = make_gateway(folder)
    one.write_config()
    return one


@contextlib.contextmanager
def without_rights():
    """Words to put before a command; root's rights would hide the fault."""
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("runs as root, and setpriv, which gives rights up, is not installed")
        yield AS_NOBODY
    else:
        yield []


def serve_without_rights(config, *arguments):
    with without_rights() as before:
        return subprocess.run([*before, config.program, "serve", "--config", config.config_file,
                               *arguments], text=True, capture_output=True, timeout=20)


# --- values from the environment


def test_environment_lies_over_the_file_and_under_set(config):
    """A real start: the port of the variable is the one that answers, --set wins over it."""
    port, *admin = free_ports(3)
    config.environment = {"TRESTLE__endpoints__devices__listen__0": f"mqtt://127.0.0.1:{port}",
                          "TRESTLE__admin__listen": f"http://127.0.0.1:{admin[0]}",
                          "TRESTLE__log__format": "json"}
    config.arguments = ["--set", f"admin.listen=http://127.0.0.1:{admin[1]}"]
    config.admin = f"http://127.0.0.1:{admin[1]}"
    with config:
        subprocess.run(["mosquitto_pub", "-p", str(port), "-q", "1", "-t", "a", "-m", "b"],
                       check=True, timeout=20)
        assert config.log().startswith("{")
        # A reload reads the file and the same environment again: nothing has changed.
        config.signal(signal.SIGHUP)
        config.wait_metric(1, "trestle_config_reloads_total", result="ok")
        health = run_program("health", "--config", config.config_file, env={
            **config.environment, "TRESTLE__admin__listen": config.admin})
        assert health.returncode == 0, health.stderr


def test_faults_name_the_variable(config):
    done = run_program("check", "--config", config.config_file,
                       env={"TRESTLE__log__levle": "debug", "TRESTLE__shards": "many"})
    assert done.returncode == 2
    assert 'log.levle: found an unknown key (did you mean "level"?) (given by ' \
           "TRESTLE__log__levle)" in done.stderr
    assert 'shards: found "many" (from TRESTLE__shards), expected an integer' in done.stderr


def test_variables_of_others_are_left_alone(config):
    """Kubernetes sets such names for a service called trestle."""
    done = run_program("check", "--config", config.config_file,
                       env={"TRESTLE_PORT": "tcp://10.0.0.1:1883", "TRESTLE_SERVICE_HOST": "x"})
    assert done.returncode == 0, done.stderr


# --- what is not there, or not allowed


def test_missing_config(folder):
    one_sentence(run_program("serve", "--config", folder / "none.json"), 2,
                 "none.json", "No such file")


def test_unreadable_config(config):
    config.config_file.chmod(0o600)
    if os.getuid() != 0:
        config.config_file.chmod(0)
    one_sentence(serve_without_rights(config), 2, "trestle.json", "Permission denied")


def test_missing_and_unreadable_secret(config, folder):
    config.config["admin"]["token"] = "${file:token}"
    config.write_config()
    one_sentence(serve_without_rights(config), 2, "admin.token", str(folder / "token"),
                 "No such file")
    (folder / "token").write_text("secret")
    (folder / "token").chmod(0o600 if os.getuid() == 0 else 0)
    one_sentence(serve_without_rights(config), 2, "admin.token", str(folder / "token"),
                 "Permission denied")


def test_variable_that_is_not_set(config):
    config.config["admin"]["token"] = "${TRESTLE_TEST_TOKEN}"
    config.write_config()
    one_sentence(run_program("serve", "--config", config.config_file), 2, "admin.token",
                 "the environment has no TRESTLE_TEST_TOKEN")


@pytest.mark.parametrize("what", ["devices", "telemetry", "admin"])
def test_port_below_1024_without_the_right(config, what):
    lowest = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if lowest <= 1:
        pytest.skip("this machine lets everybody bind every port (ip_unprivileged_port_start)")
    port = min(lowest, 1024) - 1
    if what == "admin":
        config.config["admin"]["listen"] = f"http://127.0.0.1:{port}"
    elif what == "devices":
        config.config["endpoints"]["devices"]["listen"] = [f"mqtt://127.0.0.1:{port}"]
    else:
        config.config["endpoints"]["telemetry"] = {"plugin": "zmq", "socket": "pub",
                                                   "bind": [f"tcp://127.0.0.1:{port}"]}
        config.config["routes"] = [route("r", "a/{x}", "b.{x}.", to="telemetry")]
    config.write_config()
    one_sentence(serve_without_rights(config), 1, f":{port}", "Permission denied",
                 "CAP_NET_BIND_SERVICE")


def test_socket_file_where_nothing_may_be_written(config):
    config.config["endpoints"]["devices"]["listen"] = ["mqtt+unix:///proc/trestle.sock"]
    config.write_config()
    done = run_program("serve", "--config", config.config_file)
    one_sentence(done, 1, "mqtt+unix:///proc/trestle.sock")


def test_socket_file_on_a_read_only_disk(config, folder):
    if os.getuid() != 0 or not shutil.which("unshare"):
        pytest.skip("a read-only file system of the test's own needs root and unshare")
    disk = folder / "disk"
    disk.mkdir()
    config.config["endpoints"]["devices"]["listen"] = [f"mqtt+unix://{disk}/trestle.sock"]
    config.write_config()
    script = f"mount -t tmpfs -o ro,size=1m none {disk} && exec \"$@\""
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", config.program, "serve",
                           "--config", config.config_file], text=True, capture_output=True,
                          timeout=20)
    if "mount:" in done.stderr:
        pytest.skip("no mount allowed here: " + done.stderr)
    one_sentence(done, 1, f"{disk}/trestle.sock", "Read-only file system")


def test_a_log_that_nobody_can_take(config):
    """A full disk behind standard output costs log lines, not the service."""
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen([config.program, "serve", "--config", config.config_file],
                                   stdout=full, stderr=full)
        try:
            wait_until(lambda: config.get("/readyz")[0] == 200, "not ready")
            subprocess.run(["mosquitto_pub", "-p", str(config.port), "-q", "1", "-t", "a", "-m",
                            "b"], check=True, timeout=20)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()


def test_version_names_the_commit_that_metrics_name(config):
    said = run_program("--version").stdout
    with config:
        (labels,) = [dict(have) for name, have in config.metrics() if name == "trestle_build_info"]
    assert said == f"trestle {labels['version']} (commit {labels['commit']})\n"


def test_json_log_is_one_object_per_line(tmp_path):
    """One object per line with the same keys, whatever a peer calls itself."""
    one = make_gateway(tmp_path, log={"level": "debug", "format": "json"})
    with one, RawClient(one.port) as client:
        client.connect("\u00e9\"quoted\"")
        client.send(b"\xff\xff")
        client.expect(DISCONNECT)
        client.expect_closed()
    for line in one.log().splitlines():
        assert list(json.loads(line)) == ["time", "level", "component", "message"], line
