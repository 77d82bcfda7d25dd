"""The classes of rc/jobs.rc: an inverted index over a directory of text files.

A job takes some files and returns, for each word in them, where it stands: the number of the file
and the how manieth word of it it is. What the jobs return is put together as it comes.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import tempfile
import time
from array import array
from collections import Counter
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from vista import Object, Ref, delete, native, post, register_service, self_ref, send

JOB_BYTES_MAX = 1024 * 1024
JOBS_MIN = 64
JOBS_AHEAD = 16
FILE_BYTES_MAX = 16 * 1024 * 1024

TEXTS = 960
TEXT_LINES = 750
LINES = 50_000
LINE_WORDS = 10
VOCABULARY = 30_000

FAREWELL = """\
What to type next:
    vista --processes 2 rc/jobs.rc          the same by two processes
    vista repl rc/jobs.rc docs stay         an index to ask: service("WordIndex").find("peer")
    docs/jobs.rst                           write a job of your own
"""


Segment = tuple[str, bytes, bytes, bytes]
"""What a job returns; plain bytes travel without being looked at one by one."""


class IndexTexts(Object):
    """A job: where each word stands in some files.

    ``create(directory, files)`` takes pairs of a file's number and its name in the directory, which
    must be the same one for all servers.
    """

    def create(self, directory: str, files: list[tuple[int, str]]) -> None:
        """Take the files."""
        self.directory = directory
        self.files = files

    @native
    def run(self) -> Segment:
        """Return the words, how many places each has and where these end, and all places.

        A place is two numbers: that of the file, and the how manieth word of it it is.

        It is native because it computes for long: the node's loop goes on meanwhile.
        """
        found: dict[str, array[int]] = {}
        for number, name in self.files:
            for at, word in enumerate(words_of(Path(self.directory, name))):
                places = found.get(word)
                if places is None:
                    places = found[word] = array("I")
                places.append(number)
                places.append(at)
        counts = array("I", (len(places) // 2 for places in found.values()))
        ends = array("I", accumulate(map(len, found.values())))
        return " ".join(found), counts.tobytes(), ends.tobytes(), b"".join(found.values())


class WordIndex(Object):
    """Has an index made by the servers of a pool. rc line: ``WordIndex words $console $display``.

    It is the service ``WordIndex``. ``directory`` is that of the texts; without one it makes some
    up. With ``stay`` the node goes on when the index is complete.
    """

    def create(
        self, pool: str, console: Ref, display: Ref, directory: str = "", stay: str = ""
    ) -> None:
        """Look at what there is to do, and begin."""
        if stay not in ("", "stay"):
            raise ValueError(f'after the directory comes "stay" or nothing, not {stay!r}')
        if directory and not Path(directory).is_dir():
            raise NotADirectoryError(f"{directory} is no directory of text files")
        self.pool, self.console, self.display = pool, console, display
        self.stay = bool(stay)
        self.made = not directory
        self.directory = str(Path(directory).resolve()) if directory else ""
        self.files: list[str] = []
        self.sizes: list[int] = []
        self.next_file = 0
        self.bytes_total = self.bytes_done = 0
        self.jobs_open = 0
        self.begun = self.shown = 0.0
        self.node_names: dict[str, str] = {}
        self._segments: list[tuple[dict[str, int], array[int], bytes]] = []
        self._counts: Counter[str] = Counter()
        register_service("WordIndex", self)
        send("ShutdownService", "register", self_ref(self))
        post(self_ref(self), "begin")

    @native
    def begin(self) -> None:
        """Find the files, or make them up, and queue the first jobs."""
        if self.made:
            self._say("Making up some texts ...\n")
            self.directory = tempfile.mkdtemp(prefix="vista-jobs-")
            write_texts(Path(self.directory))
        found = text_files(Path(self.directory))
        self.files, self.sizes = [name for name, _ in found], [size for _, size in found]
        self.bytes_total = sum(self.sizes)
        if not self.files:
            self._give_up(f"there is no text file in {self.directory}")
            return
        megabytes = self.bytes_total / 1e6
        self._say(f"Indexing {len(self.files)} files, {megabytes:.1f} MB, {self.directory}\n")
        self.begun = time.monotonic()
        for _ in range(JOBS_AHEAD):
            self._queue_job()
        self._end_if_done()

    def job_complete(self, size: int, result: Segment) -> None:
        """Put the result of a job with ``size`` bytes of text to the others."""
        words, counts, ends, places = result
        names = words.split()
        self._counts.update(dict(zip(names, array("I", counts), strict=True)))
        at = {word: number for number, word in enumerate(names)}
        self._segments.append((at, array("I", ends), places))
        self.bytes_done += size
        self.jobs_open -= 1
        self._queue_job()
        self._show_progress()
        self._end_if_done()

    def job_failed(self, size: int, error: Exception) -> None:
        """Give up."""
        self._give_up(f"a job failed: {error}")

    @native
    def find(self, *words: str) -> list[str]:
        """Return the names of the files in which these words follow one another."""
        if not words:
            raise ValueError("find takes a word or more")
        first, *others = (self._places(word) for word in words)
        for at, following in enumerate(others, 1):
            first = {(file, place) for file, place in first if (file, place + at) in following}
        return [self.files[number] for number in sorted({file for file, _ in first})]

    def commonest(self, count: int = 10) -> list[tuple[str, int]]:
        """Return the words that stand at the most places, with how many these are."""
        return self._counts.most_common(count)

    def words(self) -> list[str]:
        """Return all words, in alphabetical order."""
        return sorted(self._counts)

    def places(self, word: str) -> list[tuple[str, int]]:
        """Return where a word stands: the names of files, and the how manieth word it is there."""
        return [(self.files[number], at) for number, at in sorted(self._places(word))]

    def state(self) -> dict[str, Any]:
        """Return how far the index is: words, files, bytes in all and bytes done."""
        return {
            "words": len(self._counts),
            "files": len(self.files),
            "bytes_total": self.bytes_total,
            "bytes_done": self.bytes_done,
        }

    def system_shutdown(self) -> None:
        """Tidy up. The display is deleted, which waits until everything is shown."""
        if self.made and self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        delete(self.display)

    def _places(self, word: str) -> set[tuple[int, int]]:
        places = array("I")
        for at, ends, held in self._segments:
            number = at.get(word.lower())
            if number is not None:
                start = ends[number - 1] if number else 0
                places.frombytes(held[4 * start : 4 * ends[number]])
        return set(zip(places[::2], places[1::2], strict=True))

    def _queue_job(self) -> None:
        """Queue the next files as a job, if any are left."""
        files: list[tuple[int, str]] = []
        size = 0
        enough = min(JOB_BYTES_MAX, self.bytes_total // JOBS_MIN)
        while self.next_file < len(self.files) and size <= enough:
            files.append((self.next_file, self.files[self.next_file]))
            size += self.sizes[self.next_file]
            self.next_file += 1
        if files:
            self.jobs_open += 1
            arguments = [self.directory, files]
            send(self.pool, "queue_job", self_ref(self), size, "IndexTexts", None, arguments)

    def _give_up(self, reason: str) -> None:
        self._say(f"\nThere is no index: {reason}\n")
        post("ShutdownService", "shutdown", reason)

    def _say(self, text: str) -> None:
        self.console.append_text(text)

    def _show_progress(self) -> None:
        """Redraw the bar of a terminal, or say each tenth in a line of its own."""
        seconds = time.monotonic() - self.begun
        done = self.bytes_done / max(1, self.bytes_total)
        complete = self.bytes_done >= self.bytes_total
        terminal = sys.stdout.isatty()
        if not complete and seconds - self.shown < 0.1 if terminal else done < self.shown:
            return
        self.shown = seconds if terminal else done + 0.1
        rate = self.bytes_done / 1e6 / max(seconds, 1e-9)
        amount = f"{self.bytes_done / 1e6:.1f}/{self.bytes_total / 1e6:.1f} MB {rate:.1f} MB/s"
        words = f"{amount}  {self._shares()}"
        if terminal:
            bar = "#" * round(30 * done)
            self._say(f"\r[{bar:30}] {words}\x1b[K" + ("\n" if complete else ""))
        else:
            self._say(f"{done:4.0%} {words}\n")

    def _shares(self) -> str:
        """Say what part of the jobs each server has done."""
        rows = send(self.pool, "get_state")["servers"]
        done = sum(row["finished"] for row in rows) or 1
        return ", ".join(f"{self._name_of(row)} {row['finished'] / done:.0%}" for row in rows)

    def _name_of(self, row: dict[str, Any]) -> str:
        """The name of a server's node; asked for once."""
        node = row["node"]
        if node not in self.node_names:
            self.node_names[node] = send(f"{node}-0", "get_name") or node
        return self.node_names[node]

    def _end_if_done(self) -> None:
        if self.jobs_open or self.next_file < len(self.files):
            return
        seconds = time.monotonic() - self.begun
        common = self.commonest()
        told = ", ".join(f"{word} {count}" for word, count in common)
        self._say(f"{len(self._counts)} words in {seconds:.2f} s. The commonest: {told}.\n")
        self._show_query()
        self._say(FAREWELL)
        if not self.stay:
            post("ShutdownService", "shutdown", "the index is complete")

    def _show_query(self) -> None:
        """Ask for two words of the first text that follow one another."""
        first = words_of(Path(self.directory, self.files[0])) if self.files else []
        if len(first) > 1:
            pair = max(pairwise(first), key=lambda words: len("".join(words)))
            found = self.find(*pair)
            names = ", ".join(found[:3]) + (" ..." if len(found) > 3 else "")
            count = f"{len(found)} of {len(self.files)} files"
            self._say(f'find("{pair[0]}", "{pair[1]}"): in {count}: {names}\n')


def words_of(file: Path) -> list[str]:
    """Return the words of a file, in small letters."""
    return re.findall(r"[^\W\d_]+", file.read_text("utf-8", "replace").lower())


def text_files(directory: Path) -> list[tuple[str, int]]:
    """Return the names of the text files in and under a directory, with the bytes of each.

    A file with a zero byte at its beginning is none, nor is one of more than `FILE_BYTES_MAX`.
    """
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.stat().st_size <= FILE_BYTES_MAX:
            with path.open("rb") as file:
                if b"\0" in file.read(1024):
                    continue
            found.append((str(path.relative_to(directory)), path.stat().st_size))
    return found


def write_texts(directory: Path) -> None:
    """Make up some texts, the same each time: few words often and many seldom, as people write."""
    dice = random.Random(1987)
    syllables = [first + second for first in "bdfgklmnprst" for second in "aeiou"]
    vocabulary = sorted({"".join(dice.choices(syllables, k=4)) for _ in range(VOCABULARY)})
    dice.shuffle(vocabulary)
    vocabulary[:6] = ["the", "tide", "of", "and", "ship", "harbour"]
    shares = [1 / (rank + 2.7) for rank in range(len(vocabulary))]
    words = dice.choices(vocabulary, shares, k=LINES * LINE_WORDS)
    lines = [" ".join(words[at : at + LINE_WORDS]) for at in range(0, len(words), LINE_WORDS)]
    for number in range(TEXTS):
        text = "\n".join(dice.choices(lines, k=TEXT_LINES))
        (directory / f"text{number:03}.txt").write_text(text + "\n", "ascii")
