"""A replica of a game that starts again finds the judge's class by itself."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import vista
from apps.solidstate.objects.classes import load_class
with vista.Node("again") as node:
    before = "apps.starship.replicated.judge" in sys.modules
    found = node.call(load_class, ["StarShip", "StarshipJudge", 0])
    print(before, found is not None, node.call(load_class, ["StarShip", "StarshipBailiff", 0]))
"""


def test_the_class_of_an_installed_application_is_loaded_when_a_replica_needs_it() -> None:
    # In a process of its own: here the class is loaded already.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.returncode) == ("False True None\n", 0), done.stderr
