"""The Debian packages, and the systemd unit in them: made from the build, installed, upgraded,
removed and purged in a root of the test's own. What needs systemd itself is in tests/images."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support.gateway import BUILD, ROOT, run_program

VERSION = re.search(r"VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text().split("project(")[1])[1]


def run(*command, **more):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, **more)
    assert done.returncode == 0, f"{command}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def make_packages(tmp_path_factory):
    """A function: version -> {name: .deb}, made by somebody who lets nobody read anything."""
    for tool, package in (("cpack", "cmake"), ("dpkg-shlibdeps", "dpkg-dev"), ("file", "file")):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed (Debian: {package})")
    if not (BUILD / "lib/trestle/plugins").is_dir():
        pytest.skip("plugins are linked in: packages are made of shared builds")

    def make(version):
        folder = tmp_path_factory.mktemp("packages")
        run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", folder,
            "-D", f"CPACK_PACKAGE_VERSION={version}", cwd=BUILD, umask=0o077)
        return {file.name.split("_")[0]: file for file in folder.glob("*.deb")}
    return make


@pytest.fixture(scope="session")
def packages(make_packages):
    return make_packages(VERSION)


@pytest.fixture
def root(tmp_path):
    """An empty root with dpkg's books; a function runs dpkg on it. Scripts see DPKG_ROOT."""
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("status", "available"):
        (tmp_path / "var/lib/dpkg" / file).touch()
    if os.getuid() != 0:
        pytest.skip("dpkg installs as root only")

    def dpkg(*arguments):
        return run("dpkg", f"--root={tmp_path}", "--force-script-chrootless", "--force-depends",
                   "--force-confold", "--log=/dev/null", *arguments,
                   env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
    dpkg.folder = tmp_path
    return dpkg


def field(package, name):
    return run("dpkg-deb", "-f", package, name).strip()


def files_of(package):
    lines = run("dpkg-deb", "-c", package).splitlines()
    return {line.split(None, 5)[5].split(" -> ")[0].removeprefix(".") for line in lines
            if not line.startswith("d")}


def test_what_is_in_them(packages):
    assert set(packages) == {"trestle", "trestle-dev"}
    files = files_of(packages["trestle"])
    for path in ("/usr/bin/trestle", "/usr/lib/libtrestle.so.0", "/etc/trestle/trestle.json",
                 "/usr/lib/sysusers.d/trestle.conf",
                 "/etc/default/trestle", "/usr/lib/systemd/system/trestle.service",
                 "/usr/lib/trestle/plugins/mqtt.so", "/usr/lib/trestle/plugins/zmq.so",
                 "/usr/lib/trestle/plugins/websocket.so", "/usr/share/doc/trestle/README.md",
                 "/usr/share/doc/trestle/plugins/zmq/PROTOCOL.md"):
        assert path in files, path
    assert not [f for f in files if f.endswith((".h", ".cmake", ".pc"))], "belongs into -dev"
    development = files_of(packages["trestle-dev"])
    assert "/usr/include/trestle/plugin_api/plugin.h" in development
    assert "/usr/lib/libtrestle.so" in development
    assert not files & development


def test_control(packages):
    depends = field(packages["trestle"], "Depends")
    for library in ("libc6", "libzmq5", "libre2-9", "libspdlog1.10", "adduser"):
        assert re.search(rf"\b{re.escape(library)}\b", depends), depends
    assert "trestle" not in depends, "its own library is inside"
    assert field(packages["trestle-dev"], "Depends").startswith(f"trestle (= {VERSION}-1)")


def test_everybody_may_read_what_is_in_them(packages):
    for package in packages.values():
        for line in run("dpkg-deb", "-c", package).splitlines():
            assert re.match(r"(d|-)rwxr-xr-x|-rw-r--r--|l", line), line


@pytest.mark.parametrize("missing", ["dpkg-shlibdeps", "file"])
def test_no_package_without_what_tells_its_libraries(tmp_path, missing):
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for tool in pathlib.Path(folder).iterdir():
            if tool.name != missing and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    done = subprocess.run(["cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake",
                           "-B", tmp_path / "out"], capture_output=True, text=True, check=False,
                          cwd=BUILD, env={**os.environ, "PATH": str(tools)})
    assert done.returncode != 0
    assert f"{missing} is missing" in done.stderr and "./dev package" in done.stderr
    assert not list((tmp_path / "out").glob("*.deb"))


def test_nothing_is_left_unstripped_or_points_into_the_build(packages, tmp_path):
    run("dpkg-deb", "-x", packages["trestle"], tmp_path)
    for file in [tmp_path / "usr/bin/trestle", *tmp_path.glob("usr/lib/**/*.so*")]:
        if file.is_symlink():
            continue
        assert ".debug_info" not in run("readelf", "-SW", file), file
        assert str(BUILD) not in run("readelf", "-d", file), file


def test_lintian_has_no_complaint_of_weight(packages):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    # A package that is no part of Debian has no bug to close and no page in section 1.
    quiet = "initial-upload-closes-no-bugs,no-manual-page,no-changelog,no-copyright-file," \
            "extended-description-line-too-long,package-name-doesnt-match-sonames," \
            "undeclared-elf-prerequisites,bogus-mail-host,no-shlibs"
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error",
                           "--suppress-tags", quiet, packages["trestle"]],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_install_change_upgrade_remove_purge(root, packages, make_packages):
    newer = make_packages("99.0.0")["trestle"]
    folder = root.folder
    config = folder / "etc/trestle/trestle.json"

    root("-i", packages["trestle"])
    done = run_program("check", "--config", config)
    assert done.returncode == 0, done.stderr
    program = subprocess.run([folder / "usr/bin/trestle", "check", "--config", config], text=True,
                             capture_output=True, check=False)
    assert program.returncode == 0, "with its own plugins: " + program.stderr

    config.write_text(config.read_text().replace("1883", "1884"))
    root("-i", newer)
    assert "1884" in config.read_text(), "an upgrade must not lose what the administrator wrote"
    assert "99.0.0" in root("-s", "trestle")

    state = folder / "var/lib/trestle"
    state.mkdir(parents=True)
    (state / "something").touch()
    root("-r", "trestle")
    left = {str(p.relative_to(folder)) for p in folder.rglob("*")
            if p.is_file() and "var/lib/dpkg" not in str(p)}
    assert left == {"etc/trestle/trestle.json", "etc/default/trestle",
                    "var/lib/trestle/something"}
    root("-P", "trestle")
    left = {str(p.relative_to(folder)) for p in folder.rglob("*trestle*")}
    assert left == set()


def test_every_path_follows_the_prefix(tmp_path):
    """Below /usr configuration is in /etc; below another prefix, all is there."""
    run("cmake", "--install", BUILD, "--prefix", "/usr", "--component", "runtime",
        env={**os.environ, "DESTDIR": str(tmp_path / "system")})
    assert (tmp_path / "system/etc/trestle/trestle.json").is_file()
    unit = (tmp_path / "system/usr/lib/systemd/system/trestle.service").read_text()
    assert "ExecStart=/usr/bin/trestle serve --config /etc/trestle/trestle.json" in unit
    prefix = tmp_path / "opt"
    run("cmake", "--install", BUILD, "--prefix", prefix, "--component", "runtime")
    unit = (prefix / "lib/systemd/system/trestle.service").read_text()
    assert f"ExecStart={prefix}/bin/trestle serve --config {prefix}/etc/trestle/" in unit
    assert not (prefix / "include").exists()


@pytest.fixture
def unit(tmp_path):
    """The unit as installed, with a program that is there."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    prefix = tmp_path / "opt"
    run("cmake", "--install", BUILD, "--prefix", prefix, "--component", "runtime")
    return prefix / "lib/systemd/system/trestle.service"


def test_systemd_understands_the_unit(unit):
    """`verify` ends with 0 whatever it finds: it must say nothing."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                          text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "trestle" in line]
    assert done.returncode == 0 and not ours, ours


def test_the_service_is_shut_in(unit):
    """systemd's own measure of exposure, from 0 (none) to 10; below 2.0 is "OK"."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)[1])
    assert level < 2.0


def test_a_reload_checks_the_config_first(unit):
    reload = re.findall(r"^ExecReload=(.*)$", unit.read_text(), re.MULTILINE)
    assert re.fullmatch(r"\S+/bin/trestle check --config \S+/etc/trestle/trestle.json", reload[0])
    assert len(reload) == 2 and "HUP" in reload[1]


def test_the_group_of_the_service_may_use_its_sockets(unit):
    assert "UMask=0007" in unit.read_text().splitlines()


def test_the_user_of_the_service_can_be_made(unit, tmp_path):
    """From the file that `cmake --install` brings."""
    if not shutil.which("systemd-sysusers"):
        pytest.skip("systemd-sysusers is not installed")
    (tmp_path / "root/etc").mkdir(parents=True)
    run("systemd-sysusers", f"--root={tmp_path}/root", unit.parents[2] / "sysusers.d/trestle.conf")
    assert re.search(r"^trestle:.*:/var/lib/trestle:", (tmp_path / "root/etc/passwd").read_text(),
                     re.MULTILINE)


def test_maintainer_scripts_are_plain_sh():
    for script in pathlib.Path(ROOT / "packaging/debian").glob("p*"):
        assert os.access(script, os.X_OK), script
        run("sh", "-n", script)
