"""The classes of rc/jobs.rc: an inverted index over a directory of text files.

A job takes some files and returns, for each word in them, where it stands. What the jobs return is
counted as it comes, and put together when somebody asks for a word.
"""

from __future__ import annotations

import random
import re
import shutil
import sys
import tempfile
import time
from array import array
from bisect import bisect
from collections import Counter, defaultdict
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from vista import Object, Ref, delete, native, post, register_service, self_ref, send

JOB_BYTES_MAX = 4 * 1024 * 1024
JOBS_LEFT = 6
JOBS_MAX = 64
JOBS_AHEAD = 8
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


Part = tuple[bytes, bytes, str, bytes, bytes]
"""What a job returns; plain bytes travel without being looked at one by one.

The numbers of its files and of their first words, the words, how many places each has, and all
places. Words are numbered through all files of a job. Between two files one number is left out, so
that no two words of different files follow one another.
"""


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
    def run(self) -> Part:
        """Return the index of these files.

        It is native because it computes for long: the node's loop goes on meanwhile.
        """
        found: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
        starts = array("I")
        start = 0
        for _, name in self.files:
            words = words_of(Path(self.directory, name))
            for place, word in enumerate(words, start):
                found[word].append(place)
            starts.append(start)
            start += len(words) + 1
        numbers = array("I", (number for number, _ in self.files))
        counts = array("I", map(len, found.values()))
        places = b"".join(found.values())
        return numbers.tobytes(), starts.tobytes(), " ".join(found), counts.tobytes(), places


class Segment:
    """The part of the index that a job has made, put in order when the first word is looked up."""

    def __init__(self, part: Part) -> None:
        numbers, starts, self.words, counts, self.held = part
        self.numbers, self.starts = array("I", numbers), array("I", starts)
        self.counts = array("I", counts)
        self.ends = array("I")
        self.at: dict[str, int] = {}

    def count(self) -> dict[str, int]:
        """Return at how many places each word stands."""
        return dict(zip(self.words.split(), self.counts, strict=True))

    def places(self, word: str) -> array[int]:
        """Return the numbers of the places where a word stands, in order."""
        if not self.at:
            self.ends = array("I", accumulate(self.counts, initial=0))
            self.at = {known: number for number, known in enumerate(self.words.split())}
        number = self.at.get(word.lower())
        if number is None:
            return array("I")
        return array("I", self.held[4 * self.ends[number] : 4 * self.ends[number + 1]])

    def file_of(self, place: int) -> tuple[int, int]:
        """Return the number of the file of a place, and the how manieth word of it it is."""
        file = bisect(self.starts, place) - 1
        return self.numbers[file], place - self.starts[file]


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
        if directory and not any(map(is_text, Path(directory).rglob("*"))):
            raise FileNotFoundError(
                f"there is nothing to index: no file in or under {directory} is a text of at most "
                f"{FILE_BYTES_MAX // 2**20} MiB"
            )
        self.pool, self.console, self.display = pool, console, display
        self.stay = bool(stay)
        self.made = not directory
        self.directory = str(Path(directory).resolve()) if directory else ""
        self.files: list[str] = []
        self.sizes: list[int] = []
        self.next_file = 0
        self.bytes_total = self.bytes_left = self.bytes_done = 0
        self.jobs_open = 0
        self.begun = 0.0
        self.shown = -1.0
        self.node_names: dict[str, str] = {}
        self._segments: list[Segment] = []
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
        self.bytes_total = self.bytes_left = sum(self.sizes)
        if not self.files:
            self._give_up(f"there is no text file in {self.directory}")
            return
        megabytes = self.bytes_total / 1e6
        self._say(f"Indexing {len(self.files)} files, {megabytes:.1f} MB, {self.directory}\n")
        self.begun = time.monotonic()
        for _ in range(JOBS_AHEAD):
            self._queue_job()

    def job_complete(self, size: int, result: Part) -> None:
        """Put the result of a job with ``size`` bytes of text to the others."""
        segment = Segment(result)
        self._segments.append(segment)
        self._counts.update(segment.count())
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
        found: set[int] = set()
        for segment in self._segments:
            first, *others = (set(segment.places(word)) for word in words)
            for at, following in enumerate(others, 1):
                first = {place for place in first if place + at in following}
            found.update(segment.file_of(place)[0] for place in first)
        return [self.files[number] for number in sorted(found)]

    def commonest(self, count: int = 10) -> list[tuple[str, int]]:
        """Return the words that stand at the most places, with how many these are."""
        return self._counts.most_common(count)

    def words(self) -> list[str]:
        """Return all words, in alphabetical order."""
        return sorted(self._counts)

    def places(self, word: str) -> list[tuple[str, int]]:
        """Return where a word stands: the names of files, and the how manieth word it is there."""
        found = sorted(
            segment.file_of(place) for segment in self._segments for place in segment.places(word)
        )
        return [(self.files[number], at) for number, at in found]

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

    def _queue_job(self) -> None:
        """Queue the next files as a job, if any are left."""
        files: list[tuple[int, str]] = []
        size = 0
        # Large ones cost less to put together; small ones at the end let nobody wait for long.
        enough = max(self.bytes_left // JOBS_LEFT, self.bytes_total // JOBS_MAX)
        enough = min(enough, JOB_BYTES_MAX)
        while self.next_file < len(self.files) and size <= enough:
            files.append((self.next_file, self.files[self.next_file]))
            size += self.sizes[self.next_file]
            self.next_file += 1
        self.bytes_left -= size
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
        words = f"{amount}{self._shares()}"
        if terminal:
            bar = f"[{'#' * round(30 * done):30}] {words}"
            # What goes on in a second line could not be drawn over.
            columns = shutil.get_terminal_size().columns - 1
            self._say(f"\r{bar[:columns]}\x1b[K" + ("\n" if complete else ""))
        else:
            self._say(f"{done:4.0%} {words}\n")

    def _shares(self) -> str:
        """Say what part of the jobs each server has done, if more than one has done any."""
        rows = [row for row in send(self.pool, "get_state")["servers"] if row["finished"]]
        if len(rows) < 2:
            return ""
        done = sum(row["finished"] for row in rows)
        shares = (f"{self._name_of(row)} {row['finished'] / done:.0%}" for row in rows)
        return f"  {', '.join(shares)}"

    def _name_of(self, row: dict[str, Any]) -> str:
        """The name of a server's node; asked for once."""
        node = row["node"]
        if node not in self.node_names:
            self.node_names[node] = send(f"{node}-0", "get_name") or node
        return self.node_names[node]

    def _end_if_done(self) -> None:
        if not self.jobs_open and self.next_file == len(self.files):
            post(self_ref(self), "conclude", time.monotonic() - self.begun)

    @native
    def conclude(self, seconds: float) -> None:
        """Tell what came out, and end unless told to stay."""
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

    Others are left out, see `is_text`.
    """
    return [
        (str(path.relative_to(directory)), path.stat().st_size)
        for path in sorted(directory.rglob("*"))
        if is_text(path)
    ]


def is_text(path: Path) -> bool:
    """Whether a path is that of a text file.

    A file with a zero byte at its beginning is none, nor is one of more than `FILE_BYTES_MAX`.
    """
    if not path.is_file() or path.stat().st_size > FILE_BYTES_MAX:
        return False
    with path.open("rb") as file:
        return b"\0" not in file.read(1024)


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
