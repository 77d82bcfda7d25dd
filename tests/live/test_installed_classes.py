"""A program finds the classes of an installed application by their names, as an rc file does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.process import ROOT, SECONDS_MAX, own_directories, vista

PROGRAM = """
import sys
import vista

with vista.Node("program"):
    assert not any(name.startswith("apps.http.objects") for name in sys.modules)
    daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "localhost")
    print(vista.class_of(daemon))
"""

PROBE = """
import sys
import vista

class Probe(vista.Object):
    def create(self, name: str):
        module = sys.modules.get("apps.http.objects.daemon")
        print(name, "is there" if hasattr(module, name) else "is missing", flush=True)
"""


def test_a_program_makes_an_object_of_an_installed_application_by_its_name() -> None:
    words = (sys.executable, "-c", PROGRAM)
    with own_directories():
        done = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
        )
    assert (done.stdout, done.returncode) == ("HTTP.HTTPdaemon version 0\n", 0), done.stderr


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_file_names_is_imported_in_all_processes_before_their_loops_run(
    tmp_path: Path, processes: int
) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    make = "CreateOnEveryNode Probe" if processes > 1 else "Probe"
    lines = ["LoadClassFile probe.py", "ShutdownService", f"{make} HTTPdaemon"]
    (tmp_path / "probe.rc").write_text("\n".join(lines))
    options = ("--processes", str(processes)) if processes > 1 else ()
    with own_directories(), vista(*options, "probe.rc", directory=tmp_path) as process:
        for _ in range(processes):
            process.expect("HTTPdaemon is ")
        assert sum(line.endswith("HTTPdaemon is there") for line in process.output) == processes
