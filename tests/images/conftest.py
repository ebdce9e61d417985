"""Images are made from the build that is there (TRESTLE_BUILD), not compiled again; with
TRESTLE_IMAGE_FROM_SOURCE=1 the Dockerfile compiles, which takes minutes."""

import os
import pathlib
import shutil
import subprocess
import sys
import tarfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from engine import Engine  # noqa: E402
from support.gateway import BUILD, ROOT  # noqa: E402


@pytest.fixture(scope="session")
def engine():
    """Keeps its data in the build folder, so that a second run finds the base images."""
    if os.getuid() != 0:
        pytest.skip("a Docker daemon of the tests' own needs root")
    if not shutil.which("dockerd"):
        pytest.skip("dockerd is not installed (Debian: docker.io)")
    one = Engine(BUILD / "docker").start()
    try:
        one.make_bases()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The Debian package of the build."""
    folder = tmp_path_factory.mktemp("package")
    subprocess.run(["cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", folder],
                   cwd=BUILD, check=True, capture_output=True)
    return next(folder.glob("trestle_*.deb"))


def commit():
    done = subprocess.run([BUILD / "bin/trestle", "--version"], capture_output=True, text=True,
                          check=True)
    return done.stdout.split("commit ")[1].rstrip(")\n")


@pytest.fixture(scope="session")
def built(engine, package, tmp_path_factory):
    """An image that holds the package alone, as the Dockerfile's first stage does; its name."""
    tar = tmp_path_factory.mktemp("built") / "built.tar"
    with tarfile.open(tar, "w") as out:
        out.add(package, "out/trestle.deb")
    engine.run("import", tar, "trestle-built")
    return "trestle-built"


@pytest.fixture(scope="session")
def image(engine, request):
    """Of docker/Dockerfile; its name."""
    arguments = ["-f", ROOT / "docker/Dockerfile", "--build-arg", f"COMMIT={commit()}"]
    if not os.environ.get("TRESTLE_IMAGE_FROM_SOURCE"):
        arguments += ["--build-arg", f"BUILT={request.getfixturevalue('built')}"]
    engine.build(ROOT, "trestle", *arguments, timeout=3000)
    return "trestle"
