"""Shared by the tests of what ships around the program: chart, package, unit. TRESTLE_BUILD names
the build folder, as for the black-box tests."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
