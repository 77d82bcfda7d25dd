"""Code that is kept in the state directory for the next run."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.process import ROOT
from tests.mobility.test_code import ringer
from vista.kernel.kernel import Kernel
from vista.limits import Limits
from vista.mobility.kept import find_kept, keep_code
from vista.testing import World

ANY = (None, "KeptChime", None)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """The kernel of a node with a state directory."""
    with World(7) as world:
        node = world.node(settings={"state_directory": str(tmp_path / "state")})
        yield node.kernel


def only_file(tmp_path: Path) -> Path:
    """The one file that is kept."""
    (path,) = (tmp_path / "state" / "code").iterdir()
    return path


def test_what_is_kept_is_found(kernel: Kernel) -> None:
    keep_code(kernel, ringer("KeptChime"))
    assert find_kept(kernel, ANY) == ringer("KeptChime")


def test_the_newest_version_that_fits_is_found(kernel: Kernel) -> None:
    for version in (1, 9, 10):
        keep_code(kernel, ringer("KeptChime", "x", version))
    found = [find_kept(kernel, (None, "KeptChime", version)) for version in (None, 9)]
    assert [code and code.version for code in found] == [10, 9]
    assert find_kept(kernel, ("Elsewhere", "KeptChime", None)) is None


def test_another_content_takes_the_place_of_what_was_kept(kernel: Kernel) -> None:
    keep_code(kernel, ringer("KeptChime", "ding"))
    keep_code(kernel, ringer("KeptChime", "dong"))
    assert find_kept(kernel, ANY) == ringer("KeptChime", "dong")


def test_only_its_owner_can_use_the_directory(kernel: Kernel, tmp_path: Path) -> None:
    keep_code(kernel, ringer("KeptChime"))
    assert only_file(tmp_path).parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_taken_from_a_directory_of_others(
    kernel: Kernel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep_code(kernel, ringer("KeptChime"))
    directory = only_file(tmp_path).parent
    directory.chmod(0o750)
    with caplog.at_level(logging.ERROR):
        assert find_kept(kernel, ANY) is None
    assert f"chmod 700 {directory}" in caplog.text


def test_a_file_that_was_changed_is_passed_over(
    kernel: Kernel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep_code(kernel, ringer("KeptChime", "ding"))
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"'ding'", b"'dong'"))
    assert find_kept(kernel, ANY) is None
    assert "another digest" in caplog.text


@pytest.mark.parametrize("size", [0, 1, 100])
def test_a_file_that_was_cut_is_passed_over(kernel: Kernel, tmp_path: Path, size: int) -> None:
    keep_code(kernel, ringer("KeptChime"))
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    assert find_kept(kernel, ANY) is None


def test_more_than_the_limit_is_not_kept(kernel: Kernel, tmp_path: Path) -> None:
    kernel.limits = Limits(code_modules_kept_max=1)
    keep_code(kernel, ringer("KeptChime"))
    keep_code(kernel, ringer("OtherChime"))
    assert only_file(tmp_path).name == "Local.KeptChime.0.code"


def test_without_a_state_directory_nothing_is_kept() -> None:
    with World(7) as world:
        kernel = world.node().kernel
        keep_code(kernel, ringer("KeptChime"))
        assert find_kept(kernel, ANY) is None


def test_a_loader_finds_it_in_another_process(kernel: Kernel, tmp_path: Path) -> None:
    keep_code(kernel, ringer("KeptChime", "ding"))
    program = (
        "import sys, vista\n"
        # On a busy machine an import may hold the loop for long, which is logged.
        "limits = vista.Limits(slow_method_seconds=100.0)\n"
        "with vista.Node(limits=limits, settings={'state_directory': sys.argv[1]}):\n"
        "    vista.create('AutomaticClassLoader')\n"
        "    print(vista.create('KeptChime').ring())\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "state")]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (run.stdout, run.stderr) == ("ding\n", "")
