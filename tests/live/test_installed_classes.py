"""A program finds the classes of an installed application by their names, as an rc file does."""

from __future__ import annotations

import subprocess
import sys

from tests.live.process import ROOT, SECONDS_MAX, own_directories

PROGRAM = """
import sys
import vista

with vista.Node("program"):
    assert not any(name.startswith("apps.http.objects") for name in sys.modules)
    daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "localhost")
    print(vista.class_of(daemon))
"""


def test_a_program_makes_an_object_of_an_installed_application_by_its_name() -> None:
    words = (sys.executable, "-c", PROGRAM)
    with own_directories():
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    assert (done.stdout, done.returncode) == ("HTTP.HTTPdaemon version 0\n", 0), done.stderr
