"""What ``vista --processes`` does with its command line and with what its processes print."""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.shell.command import main
from vista.shell.log import JsonFormatter
from vista.shell.member import Member
from vista.shell.processes import Lines, Output, Reader, prefixed


@pytest.mark.parametrize("count", ["0", "65", "-1", "two", "1.5", ""])
def test_a_number_of_processes_out_of_range_is_a_mistake(
    capsys: pytest.CaptureFixture[str], count: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--processes={count}", "town.rc"])
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        f"vista: argument --processes: a number from 1 to 64, not {count}; vista --help says more\n"
    )


@pytest.mark.parametrize("command", ["repl", "check", "ps"])
def test_processes_go_with_a_file_only(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main(["--processes", "2", command]) == 2
    assert capsys.readouterr().err == (
        f"vista: --processes goes with an rc file, not with {command}\n"
    )


def test_a_file_that_is_missing_is_a_mistake_before_anything_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.rc")
    assert main(["--processes", "2", missing]) == 2
    assert capsys.readouterr().err == f"{missing}: No such file or directory\n"


def test_a_member_is_read_from_its_word() -> None:
    member = Member(2, 3, "town-1a2b", 7)
    assert str(member) == "2/3:town-1a2b:7"
    assert Member.parse(str(member)) == member


@pytest.mark.parametrize("word", ["", "2", "2/3", "2/3:a b:7", "2/3:../a:7", "a/3:m:7", "2/3:m:7x"])
def test_no_other_word_is_a_member(word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"only vista --processes"):
        Member.parse(word)


def test_a_member_knows_the_sockets_of_its_mesh() -> None:
    assert Member(2, 3, "town-1a2b", 7).address(3) == "ipc:town-1a2b-3"


# --- lines -------------------------------------------------------------------------------------


@given(
    st.lists(st.binary(max_size=12).filter(lambda line: b"\n" not in line), max_size=6),
    st.lists(st.integers(0, 80), max_size=8),
)
def test_lines_come_whole_wherever_they_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    text = b"".join(line + b"\n" for line in lines)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    found = Lines(12)
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert [line for piece in pieces for line in found.feed(piece)] == lines
    assert found.end() == []


def test_the_last_line_needs_no_end() -> None:
    lines = Lines(100)
    assert lines.feed(b"a\nb") == [b"a"]
    assert lines.end() == [b"b"]
    assert lines.end() == []


def test_a_line_that_is_too_long_is_broken() -> None:
    lines = Lines(4)
    assert lines.feed(b"abcdefghij") == [b"abcd", b"efgh"]
    assert lines.feed(b"\nk\n") == [b"ij", b"k"]


def test_a_line_without_an_end_is_kept_within_the_bound() -> None:
    lines = Lines(1000)
    passed = sum(len(line) for _ in range(100) for line in lines.feed(b"x" * 777))
    assert 77_700 - 1000 <= passed <= 77_700


def test_a_line_has_the_name_of_its_process_before_it() -> None:
    assert prefixed("town-2", b"a | b", False) == b"town-2 | a | b"


def test_a_json_line_of_the_log_stays_as_it_is() -> None:
    assert prefixed("town-2", b'{"text": "a"}', True) == b'{"text": "a"}'


@pytest.mark.parametrize("line", [b"{no json}", b"Traceback", b"{", b"\xff", b"{\xff}"])
def test_what_is_no_json_has_the_name_also_in_a_json_log(line: bytes) -> None:
    assert prefixed("town-2", line, True) == b"town-2 | " + line


def test_a_json_line_names_its_node() -> None:
    event = logging.LogRecord("vista.rc", logging.INFO, "", 0, "text", (), None)
    assert json.loads(JsonFormatter("town-2").format(event))["node"] == "town-2"


def _written(is_shared: bool, *lines: bytes) -> bytes:
    reading, writing = os.pipe()
    Output(writing, is_shared).write(lines)
    os.close(writing)
    with open(reading, "rb") as pipe:
        return pipe.read()


def test_lines_are_written_with_their_ends() -> None:
    assert _written(False, b"a", b"", b"b") == b"a\n\nb\n"


def test_a_line_on_the_terminal_of_a_progress_bar_clears_the_bar_first() -> None:
    assert _written(True, b"a") == b"\r\x1b[Ka\n"


def test_output_that_nobody_reads_is_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError):
        Output(writing, False).write([b"a"])
    os.close(writing)


# --- reading what a process prints -------------------------------------------------------------


def _reader(out: int) -> tuple[Reader, int]:
    """A reader that runs, of lines of process ``p``, and the end of the pipe to write to."""
    reading, writing = os.pipe()
    output, mark = Output(out, False), lambda line: prefixed("p", line, False)
    reader = Reader(os.fdopen(reading, "rb", 0), Lines(100), output, mark)
    reader.start()
    return reader, writing


def test_all_that_a_process_printed_is_out_when_its_end_is_told() -> None:
    near, far = os.pipe()
    reader, writing = _reader(far)
    os.write(writing, b"a\nb\nlast words")
    os.close(writing)
    reader.finish(time.monotonic() + 30.0)
    assert os.read(near, 100) == b"p | a\np | b\np | last words\n"
    os.close(near)
    os.close(far)


def test_a_pipe_that_another_program_holds_open_is_left() -> None:
    near, far = os.pipe()
    reader, writing = _reader(far)
    os.write(writing, b"a\n")
    assert os.read(near, 100) == b"p | a\n"
    reader.finish(time.monotonic() + 600.0)
    assert reader.is_alive()
    os.close(writing)
    reader.join(30.0)
    os.close(near)
    os.close(far)


def test_a_process_whose_output_nobody_reads_has_no_reader_either() -> None:
    near, far = os.pipe()
    os.close(near)
    reader, writing = _reader(far)
    os.write(writing, b"a\n")
    reader.join(30.0)
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"b\n")
    os.close(writing)
    os.close(far)
