"""Log files: rotation, full disks, pipes that nobody reads, and the streams of the process."""

from __future__ import annotations

import logging
import os
import resource
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vista
from apps.http.objects import log_file
from apps.http.objects.log_file import LogFile, Rotation
from apps.http.objects.logs import HTTPcommonLogFormat, HTTPextendedLogFormat, HTTProtateLog
from tests.live.process import ROOT

NOON = 784_123_200.0
"""Sun, 06 Nov 1994 12:00:00 GMT."""
DAY = 86_400.0
WORDS = "GET /a HTTP/1.1"


def opened(path: Path, rotation: Rotation | None = None, head: str = "") -> LogFile:
    """A log file with a rotation."""
    made = LogFile(str(path), head)
    made.rotation = rotation
    return made


def names(path: Path) -> list[str]:
    """The files of a log, the present one first, the others by age."""
    return sorted(entry.name for entry in path.parent.iterdir())


@contextmanager
def file_size_at_most(size: int) -> Iterator[None]:
    """No file of this process may grow over a size, as on a disk that gets full in between."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- rotation --------------------------------------------------------------------------------


def test_a_file_is_put_aside_before_it_passes_its_size(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = opened(path, Rotation(5, bytes_max=20))
    for number in range(4):
        log.write([f"line {number}..\n"], NOON + number)
    log.close()
    assert names(path) == ["log", "log.19941106-120002"]
    assert path.read_text() == "line 2..\nline 3..\n"
    assert (tmp_path / "log.19941106-120002").read_text() == "line 0..\nline 1..\n"


def test_a_day_has_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = opened(path, Rotation(5, daily=True))
    log.write(["one\n"], NOON)
    log.write(["two\n"], NOON + 43_199)
    log.write(["three\n"], NOON + 43_200)
    log.close()
    assert path.read_text() == "three\n"
    assert (tmp_path / "log.19941107-000000").read_text() == "one\ntwo\n"


def test_a_file_of_an_earlier_day_is_put_aside_by_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    os.utime(path, (NOON - DAY, NOON - DAY))
    log = opened(path, Rotation(5, daily=True))
    log.write(["line\n"], NOON)
    log.close()
    assert path.read_text() == "line\n" and len(names(path)) == 2


def test_only_so_many_old_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "log.old").write_text("not ours")
    (tmp_path / "log.19941106-12").write_text("not ours")
    log = opened(path, Rotation(2, bytes_max=5))
    for number in range(6):
        log.write([f"line {number}\n"], NOON + number)
    log.close()
    assert names(path) == [
        "log", "log.19941106-12", "log.19941106-120004", "log.19941106-120005", "log.old",
    ]  # fmt: skip
    assert path.read_text() == "line 5\n"


def test_none_may_be_kept(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", Rotation(0, bytes_max=5))
    for number in range(3):
        log.write([f"line {number}\n"], NOON)
    log.close()
    assert names(tmp_path / "log") == ["log"]


def test_files_of_one_second_have_names_of_their_own_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = opened(path, Rotation(11, bytes_max=5))
    for number in range(14):
        log.write([f"line {number}\n"], NOON)
    log.close()
    texts = {entry.read_text() for entry in tmp_path.iterdir()}
    assert texts == {f"line {number}\n" for number in range(2, 14)}


def test_a_line_longer_than_the_size_has_a_file_for_itself(tmp_path: Path) -> None:
    log = opened(tmp_path / "log", Rotation(5, bytes_max=5))
    log.write(["a long line\n"], NOON)
    log.close()
    assert names(tmp_path / "log") == ["log"]


@pytest.mark.parametrize("rotation", [None, Rotation(5, bytes_max=1000)])
def test_a_file_somebody_moved_away_is_begun_anew(
    tmp_path: Path, rotation: Rotation | None
) -> None:
    path = tmp_path / "log"
    log = opened(path, rotation)
    log.write(["one\n"], NOON)
    path.rename(tmp_path / "mine")
    log.follow()
    log.write(["two\n"], NOON)
    log.follow()
    log.close()
    assert (tmp_path / "mine").read_text() == "one\n" and path.read_text() == "two\n"
    assert names(path) == ["log", "mine"]


def test_a_log_follows_its_file_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, str(path))
        path.unlink()
        log.log_request("10.0.0.1", NOON, WORDS, "", "", 200, 1)
        log.flush()
        assert path.read_text().count("\n") == 1
        vista.delete(log)


def test_each_file_begins_with_its_head(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = opened(path, Rotation(5, bytes_max=20), "#Fields: x\n")
    log.write(["one.....\n"], NOON)
    log.write(["two.....\n"], NOON + 1)
    log.close()
    assert path.read_text() == "#Fields: x\ntwo.....\n"


def test_a_directory_that_takes_no_file_costs_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "in" / "log"
    path.parent.mkdir()
    log = opened(path, Rotation(5, bytes_max=5))
    log.write(["one\n"], NOON)
    path.parent.rename(tmp_path / "gone")
    with caplog.at_level(logging.ERROR, "vista.http"):
        log.write(["two\n"], NOON)
        log.write(["three\n"], NOON)
    log.close()
    assert (tmp_path / "gone" / "log").read_text() == "one\ntwo\nthree\n"
    assert len(caplog.messages) == 1 and "cannot be put aside" in caplog.messages[0]
    assert log.lines_lost == 0


# --- what cannot be written ------------------------------------------------------------------


def test_a_full_disk_loses_lines_which_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    log = LogFile("/dev/full")
    with caplog.at_level(logging.WARNING, "vista.http"):
        for _ in range(5):
            log.write(["one\n", "two\n"], NOON)
    assert log.lines_lost == 10
    assert caplog.messages == ["/dev/full: lines are lost: No space left on device"]


def test_after_a_full_disk_a_line_begins_where_a_line_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "log"
    log = LogFile(str(path))
    with file_size_at_most(10):
        log.write(["first\n", "second\n", "third\n"], NOON)
        log.write(["fourth\n"], NOON)
    with caplog.at_level(logging.WARNING, "vista.http"):
        log.write(["fifth\n"], NOON)
    log.close()
    assert path.read_text() == "first\nseco\nfifth\n"
    assert log.lines_lost == 3
    assert caplog.messages[-1] == f"{path}: written again; lines lost: 3"


def test_a_pipe_that_nobody_reads_holds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "UNSENT_BYTES_MAX", 100_000)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        log = LogFile(str(path))
        line = "x" * 999 + "\n"
        for _ in range(1000):
            log.write([line], NOON)
        assert log.waits and log.lines_lost > 500
        data = b""
        for _ in range(1000):
            try:
                data += os.read(reader, 65_536)
            except BlockingIOError:
                break
            log.write([], NOON)
        assert not log.waits
        assert data.count(b"\n") == 1000 - log.lines_lost
        assert set(data.decode().split("\n")) == {"x" * 999, ""}
        log.close()
    finally:
        os.close(reader)


def test_a_process_whose_output_nobody_reads_goes_on() -> None:
    program = (
        "import sys\n"
        "from apps.http.objects.log_file import LogFile\n"
        "log = LogFile('/dev/stdout')\n"
        "for _ in range(3000): log.write(['x' * 999 + chr(10)], 0.0)\n"
        "print(log.lines_lost, file=sys.stderr)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        ready, _, _ = select.select([process.stderr], [], [], 30.0)
        process.kill()
        assert ready, "it waits for a reader"
        assert b"lines are lost" in process.stderr.read()


def test_a_pipe_without_a_reader_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"No such device or address"):
        LogFile(str(tmp_path / "pipe"))


def test_a_reader_that_goes_costs_lines_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    log = LogFile(str(tmp_path / "pipe"))
    os.close(reader)
    with caplog.at_level(logging.ERROR, "vista.http"):
        log.write(["one\n"], NOON)
        log.write(["two\n"], NOON)
    log.close()
    assert log.lines_lost == 2
    assert caplog.messages == [f"{tmp_path}/pipe: lines are lost: Broken pipe"]


def test_the_streams_of_the_process_are_duplicated_and_never_rotated(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log = LogFile("/dev/stdout")
    log.rotation = Rotation(5, bytes_max=1)
    log.write(["one\n"], NOON)
    log.write(["two\n"], NOON)
    assert log.rotate(NOON) is False
    log.close()
    assert capfd.readouterr().out == "one\ntwo\n"
    os.fstat(1)


# --- as objects ------------------------------------------------------------------------------


def test_a_line_of_an_rc_file_has_a_log_rotated(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, str(path), "localhost")
        vista.create(HTTProtateLog, "localhost", 3, "day", "64K")
        for number in range(6):
            fill(log)
            assert len(names(path)) == min(number + 1, 4)
        vista.delete(log)


def fill(log: vista.Ref) -> None:
    """Write 50 KB."""
    for _ in range(25):
        log.log_request("10.0.0.1", NOON, "GET /" + "y" * 2_000 + " HTTP/1.1", "", "", 200, 1)
    log.flush()


@pytest.mark.parametrize(
    ("kept", "when", "message"),
    [
        (3, (), r"rotated by 'day', by one size"),
        (3, ("1M", "2M"), r"rotated by 'day', by one size"),
        (3, ("weekly",), r"'day' or a size such as 100M, not 'weekly'"),
        (3, ("1.5M",), r"not '1.5M'"),
        (3, ("MM",), r"not 'MM'"),
        (3, ("1K",), r"at 65536 bytes or more, not at 1024"),
        (-1, ("day",), r"0 to 1000 old files are kept, not -1"),
        (1001, ("day",), r"0 to 1000 old files are kept, not 1001"),
    ],
)
def test_what_cannot_be_a_rotation_is_refused(
    tmp_path: Path, kept: int, when: tuple[str, ...], message: str
) -> None:
    with vista.Node("log"):
        vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        with pytest.raises(vista.BadValueError, match=message):
            vista.create(HTTProtateLog, "localhost", kept, *when)


def test_a_log_is_rotated_when_it_is_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with vista.Node("log"):
        log = vista.create(HTTPextendedLogFormat, str(path), "localhost", "cs-uri")
        log.log_request("10.0.0.1", NOON, WORDS, "", "", 200, 1)
        assert log.rotate() is True
        log.log_request("10.0.0.1", NOON, "GET /b HTTP/1.1", "", "", 200, 1)
        vista.delete(log)
    assert path.read_text() == "#Version: 1.0\n#Fields: cs-uri\n/b\n"
    assert len(names(path)) == 2


def test_lost_lines_are_among_the_figures_also_after_reopening(tmp_path: Path) -> None:
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, "/dev/full")
        log.log_request("10.0.0.1", NOON, WORDS, "", "", 200, 1)
        log.flush()
        assert log.reopen(str(tmp_path / "log")) == 0
        log.log_request("10.0.0.1", NOON, WORDS, "", "", 200, 1)
        assert log.get_figures() == {"lines": 2, "lines_lost": 1}
        vista.delete(log)


def test_a_name_that_cannot_be_opened_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"))
        with pytest.raises(OSError, match=r"No such file"):
            log.reopen(str(tmp_path / "nowhere" / "log"))
        log.log_request("10.0.0.1", NOON, WORDS, "", "", 200, 1)
        vista.delete(log)
    assert (tmp_path / "log").read_text().count("\n") == 1


def test_rotation_goes_on_after_reopening(tmp_path: Path) -> None:
    with vista.Node("log"):
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"))
        log.set_rotation(3, 65_536)
        log.reopen()
        fill(log)
        fill(log)
        vista.delete(log)
    assert len(names(tmp_path / "log")) == 2
