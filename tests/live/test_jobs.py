"""The index of rc/jobs.rc by several processes is right, also when a server is killed meanwhile."""

from __future__ import annotations

import json
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.live.process import COMMAND, ROOT, SECONDS_MAX, Process, own_directories, vista

FILES = 160
WORDS = 3_000
BOOT = """\
LoadClassFile "{rc}/jobs_classes.py"
LoadClassFile judge.py
ShutdownService
console = VirtualConsole jobs
display = ConsoleDisplay $console
{servers}
JobController words
index = WordIndex words $console $display texts
IndexJudge $index
"""
JUDGE = """\
import json
from vista import Object, post, register_service, self_ref, send
class IndexJudge(Object):
    def create(self, index):
        self.index = index
        send("ShutdownService", "register", self_ref(self))
    def system_shutdown(self):
        index = {word: self.index.places(word) for word in self.index.words()}
        state = send("words", "get_state")
        del state["servers"]
        with open("told.json", "w") as file:
            json.dump([index, state], file)
"""
MEETING = """\
LoadClassFile meeting.py
ShutdownService
CreateOnEveryNode JobServer meetings
JobController meetings
Host meetings
"""
MEETING_CLASSES = """\
import os, time
from pathlib import Path
from vista import Object, native, post, self_ref, send
class Meeting(Object):
    @native
    def run(self) -> int:
        Path(f"guest-{os.getpid()}").touch()
        for _ in range(3_000):
            if len(list(Path().glob("guest-*"))) > 1:
                return os.getpid()
            time.sleep(0.01)
        return 0
class Host(Object):
    def create(self, pool):
        self.pool = pool
        post(self_ref(self), "begin")
    def begin(self):
        first = send(self.pool, "map_jobs", "Meeting", [[], []])
        servers = send(self.pool, "get_state")["servers"]
        print(f"{len(set(first))} met, {len(servers)} serve, alone {first.count(0)}", flush=True)
        post("ShutdownService", "shutdown", "they have met")
"""
SERVER = "ShutdownService\nConnectToPeer ipc:{name}\nJobServer words\n"


@pytest.fixture(autouse=True)
def directories(tmp_path: Path) -> Iterator[None]:
    """Keys and sockets of the test's own, some texts, and the classes that judge the index."""
    (tmp_path / "judge.py").write_text(JUDGE)
    dice = random.Random(11)
    words = [f"{letter}{ending}" for letter in "abcdefgh" for ending in ("ale", "Orn", "ürm", "u")]
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    for number in range(FILES):
        text = (
            " ".join(dice.choices(words, k=WORDS))
            + f"\n{number} of many, the last: z{'x' * number}."
        )
        name = f"{number:03}.txt" if number % 2 else f"deep/{number:03}.txt"
        (tmp_path / "texts" / name).write_text(text, "utf-8")
    (tmp_path / "texts" / "picture").write_bytes(b"\x89\0\0\0 no text")
    with own_directories():
        yield


def boot_file(directory: Path, servers: str) -> str:
    """Write the rc file that makes the index and ends."""
    (directory / "index.rc").write_text(BOOT.format(rc=ROOT / "rc", servers=servers))
    return "index.rc"


def plain_index(texts: Path) -> dict[str, list[list[Any]]]:
    """The same index, made in the plainest way."""
    found: dict[str, list[list[Any]]] = {}
    for path in sorted(path for path in texts.rglob("*.txt")):
        for at, word in enumerate(re.findall(r"[^\W\d_]+", path.read_text("utf-8").lower())):
            found.setdefault(word, []).append([str(path.relative_to(texts)), at])
    return found


def told(directory: Path) -> tuple[dict[str, list[list[Any]]], dict[str, Any]]:
    """The index and the state of the controller at the end."""
    index, state = json.loads((directory / "told.json").read_text())
    return {word: sorted(places) for word, places in index.items()}, state


def check(process: Process, directory: Path) -> dict[str, Any]:
    """Compare the index of a run with the plain one; return the state of the controller."""
    index, state = told(directory)
    expected = {word: sorted(places) for word, places in plain_index(directory / "texts").items()}
    assert index == expected
    counts = Counter({word: len(places) for word, places in expected.items()})
    [line] = [line for line in process.output if " words in " in line]
    assert f"{len(expected)} words in " in line
    assert f"The commonest: {' '.join(map(str, counts.most_common(1)[0]))}, " in line
    assert state["failed"] == 0
    return state


def test_one_process_makes_the_index(tmp_path: Path) -> None:
    with vista(boot_file(tmp_path, "JobServer words"), directory=tmp_path) as process:
        assert process.end() == 0
    state = check(process, tmp_path)
    assert (state["retried"], state["queued"], state["running"]) == (0, 0, 0)


def test_two_processes_make_the_same_index(tmp_path: Path) -> None:
    name = boot_file(tmp_path, "CreateOnEveryNode JobServer words")
    with vista("--processes", "2", name, directory=tmp_path) as process:
        assert process.end() == 0
    check(process, tmp_path)


def test_two_processes_work_on_jobs_at_the_same_time(tmp_path: Path) -> None:
    # Each of two jobs ends only when the other one runs in another process; a job at a time is what
    # a server does.
    (tmp_path / "meeting.py").write_text(MEETING_CLASSES)
    (tmp_path / "meeting.rc").write_text(MEETING)
    with vista("--processes", "2", "meeting.rc", directory=tmp_path) as process:
        process.expect("2 met, 2 serve, alone 0")
        assert process.end() == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "is no directory of text files"),
        ("empty", "is a text of at most 16 MiB"),
        ("pictures", "is a text of at most 16 MiB"),
    ],
)
def test_a_directory_without_texts_is_a_mistake_that_names_it(
    tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "cat.png").write_bytes(b"\x89PNG\0\0")
    with own_directories(), vista("rc/jobs.rc", str(tmp_path / name)) as process:
        assert process.end() == 2
    (told,) = process.errors
    assert told.startswith("rc/jobs.rc:19:1: WordIndex could not be created: ")
    assert str(tmp_path / name) in told
    assert told.endswith(said)


def test_in_a_pipe_the_progress_is_plain_lines(tmp_path: Path) -> None:
    with vista(boot_file(tmp_path, "JobServer words"), directory=tmp_path) as process:
        assert process.end() == 0
    lines = [line for line in process.output if "MB/s" in line]
    assert len(lines) >= 3
    for line in lines:
        assert re.fullmatch(r" {0,2}\d+% \d+\.\d/\d+\.\d MB \d+\.\d MB/s", line), line


@pytest.mark.parametrize("columns", [100, 40])
@pytest.mark.parametrize("options", [(), ("--processes", "2")], ids=["alone", "two"])
def test_on_a_terminal_a_bar_is_drawn_over_in_its_line(
    tmp_path: Path, options: tuple[str, ...], columns: int
) -> None:
    server = "CreateOnEveryNode JobServer words" if options else "JobServer words"
    shown = on_terminal((*options, boot_file(tmp_path, server)), tmp_path, columns)
    assert shown.count("\r[") >= 2
    assert max(map(len, re.findall(r"\[[# ]{30}\][^\x1b]*", shown))) < columns
    bars = [line for line in screen(shown) if line.startswith("[")]
    assert len(bars) == 1
    assert bars[0].startswith(f"[{'#' * 30}] ")
    assert any(" words in " in line for line in screen(shown))


def on_terminal(words: tuple[str, ...], directory: Path, columns: int) -> str:
    """What ``vista`` writes to a terminal of so many columns until it ends."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    program, *options = COMMAND
    process = pexpect.spawn(
        program,
        [*options, *words],
        cwd=str(directory),
        env=environment,
        encoding="utf-8",
        timeout=SECONDS_MAX,
        dimensions=(50, columns),
    )
    try:
        process.expect(pexpect.EOF)
        return process.before or ""
    finally:
        process.close(force=True)


def screen(written: str) -> list[str]:
    """The lines that a reader of a terminal sees after all of this was written to it."""
    lines = [""]
    column = 0
    for part in re.findall(r"\r|\n|\x1b\[[0-9;?]*[a-zA-Z]|[^\r\n\x1b]+", written):
        if part == "\r":
            column = 0
        elif part == "\n":
            lines.append("")
        elif part in ("\x1b[K", "\x1b[2K"):
            lines[-1] = lines[-1][:column] if part == "\x1b[K" else ""
        elif not part.startswith("\x1b"):
            lines[-1] = lines[-1][:column].ljust(column) + part + lines[-1][column + len(part) :]
            column += len(part)
    return lines


def test_the_index_is_right_though_a_server_is_killed_in_the_midst(tmp_path: Path) -> None:
    name = boot_file(tmp_path, "AcceptPeerConnections ipc:index")
    (tmp_path / "server.rc").write_text(SERVER.format(name="index"))
    with vista(name, directory=tmp_path) as process:
        process.expect("peers may connect")
        with vista("server.rc", directory=tmp_path) as doomed:
            process.expect("MB/s")
            # It stands still and keeps the job that it has, while another one does the rest.
            doomed.signal(signal.SIGSTOP)
            with vista("server.rc", directory=tmp_path):
                _expect_percent(process, 80)
                doomed.signal(signal.SIGKILL)
                assert process.end() == 0
    assert check(process, tmp_path)["retried"] >= 1


def _expect_percent(process: Process, percent: int) -> None:
    """Wait until so much of the index is done."""
    for _ in range(20):
        line = process.lines.get(timeout=30.0)
        found = re.match(r" *(\d+)% .* MB/s", line)
        if found is not None and int(found.group(1)) >= percent:
            return
    raise AssertionError(f"no line with {percent}% in {process.output} {process.errors}")
