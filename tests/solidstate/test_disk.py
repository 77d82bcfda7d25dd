"""A replica's files: what was synced comes back, whatever else was lost, and they stay small."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.solidstate import disk as module
from apps.solidstate.disk import Disk
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.durable import Recovered, frame
from apps.solidstate.pbft.effects import Append, Compact, Store


def blobs(*contents: bytes) -> dict[bytes, bytes]:
    return {digest_of(content): content for content in contents}


class Bench:
    """A folder, and the disk that is open in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disk = Disk(folder)
        self.found = self.disk.recover()

    def again(self) -> Recovered | None:
        """Open the folder again, as after a restart."""
        self.disk.close()
        self.disk = Disk(self.folder)
        self.found = self.disk.recover()
        return self.found

    def keep(self, *effects: Append | Store | Compact) -> None:
        """Write and sync."""
        for effect in effects:
            self.disk.write(effect)
        self.disk.sync()

    def segments(self) -> list[Path]:
        """Return the files with blobs."""
        return sorted(self.folder.glob("blobs-*"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "replica")
    yield made
    made.disk.close()


def test_in_an_empty_folder_there_was_no_replica(bench: Bench) -> None:
    assert bench.found is None and bench.again() is None


def test_records_and_blobs_come_back(bench: Bench) -> None:
    bench.keep(Append(b"one"), Store(blobs(b"page", b"other")), Append(b"two"))
    assert bench.again() == Recovered((b"one", b"two"), blobs(b"page", b"other"), False)


def test_records_go_on_after_a_restart(bench: Bench) -> None:
    bench.keep(Append(b"one"))
    bench.again()
    bench.keep(Append(b"two"))
    bench.again()
    assert bench.found == Recovered((b"one", b"two"))


def test_what_was_not_synced_is_not_there(bench: Bench) -> None:
    bench.keep(Append(b"one"))
    bench.disk.write(Append(b"two"))
    assert bench.again() == Recovered((b"one",))


def test_a_torn_record_is_dropped_and_written_over(bench: Bench) -> None:
    bench.keep(Append(b"one"), Append(b"two"))
    log = bench.folder / "log"
    log.write_bytes(log.read_bytes()[:-1])
    assert bench.again() == Recovered((b"one",))
    bench.keep(Append(b"three"))
    assert bench.again() == Recovered((b"one", b"three"))


def test_a_damaged_record_is_found_and_reported_once(bench: Bench) -> None:
    bench.keep(Append(b"one"), Append(b"two"), Append(b"three"))
    log = bench.folder / "log"
    log.write_bytes(log.read_bytes().replace(b"two", b"tw0"))
    assert bench.again() == Recovered((b"one",), {}, True)
    # The replica notes that it abstains, in the place of what cannot be read.
    bench.keep(Append(b"abstaining"))
    assert bench.again() == Recovered((b"one", b"abstaining"), {}, False)


def test_damage_is_not_forgotten_before_it_was_noted(bench: Bench) -> None:
    # 1. A start finds the damage, and fails before anything is written: a class is not loaded.
    # 2. The next one finds the records that are left whole, and would vote with what they say.
    bench.keep(Append(b"one"), Append(b"two"), Append(b"three"))
    log = bench.folder / "log"
    log.write_bytes(log.read_bytes().replace(b"two", b"tw0"))
    for _ in range(2):
        assert bench.again() == Recovered((b"one",), {}, True)
    bench.keep(Store(blobs(b"page")))
    assert bench.again() == Recovered((b"one",), blobs(b"page"), True)
    bench.keep(Append(b"abstaining"))
    bench.keep(Append(b"two"))
    assert bench.again() == Recovered((b"one", b"abstaining", b"two"), blobs(b"page"), False)


def test_a_damaged_log_that_is_replaced_is_whole(bench: Bench) -> None:
    bench.keep(Append(b"one"), Append(b"two"))
    log = bench.folder / "log"
    log.write_bytes(log.read_bytes().replace(b"one", b"0ne"))
    assert bench.again() == Recovered((), {}, True)
    bench.keep(Append(b"abstaining"), Compact((b"low", b"abstaining"), frozenset()))
    bench.keep(Append(b"two"))
    assert bench.again() == Recovered((b"low", b"abstaining", b"two"))


def test_a_first_record_that_was_torn_leaves_nothing_before_the_next(bench: Bench) -> None:
    # As on a disk that is full when the group is founded: what follows would seem damaged.
    (bench.folder / "log").write_bytes(frame(0, b"founded")[:-1])
    assert bench.again() is None
    bench.keep(Append(b"founded"), Append(b"two"))
    assert bench.again() == Recovered((b"founded", b"two"))


def test_a_log_that_cannot_be_replaced_holds_no_files(bench: Bench) -> None:
    bench.keep(Append(b"one"))
    log = bench.folder / "log"
    log.rename(bench.folder / "aside")
    log.mkdir()  # a file cannot take the place of a folder
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=r"directory"):
        bench.keep(Compact((b"low",), frozenset()))
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_damaged_or_torn_blob_is_not_there(bench: Bench) -> None:
    bench.keep(Append(b"one"), Store(blobs(b"first page", b"second page")))
    (segment,) = [path for path in bench.segments() if path.stat().st_size]
    segment.write_bytes(segment.read_bytes().replace(b"first", b"f1rst")[:-1])
    found = bench.again()
    assert found is not None and found.blobs == {}


def test_a_damaged_blob_leaves_the_others(bench: Bench) -> None:
    bench.keep(Append(b"one"), Store(blobs(b"first page", b"second page")))
    (segment,) = [path for path in bench.segments() if path.stat().st_size]
    segment.write_bytes(segment.read_bytes().replace(b"first", b"f1rst"))
    found = bench.again()
    assert found is not None and found.blobs == blobs(b"second page")


def test_the_log_is_replaced_at_once(bench: Bench) -> None:
    bench.keep(Append(b"one"), Store(blobs(b"old", b"new")))
    kept = frozenset(blobs(b"new"))
    bench.keep(Append(b"two"), Compact((b"low", b"stable"), kept))
    bench.keep(Append(b"three"))
    assert bench.again() == Recovered((b"low", b"stable", b"three"), blobs(b"old", b"new"))
    bench.keep(Compact((b"low",), kept))
    assert bench.again() is not None


def test_a_replacement_that_was_not_finished_changes_nothing(bench: Bench) -> None:
    bench.keep(Append(b"one"))
    (bench.folder / "log.next").write_bytes(b"half of a lo")
    assert bench.again() == Recovered((b"one",))
    bench.keep(Compact((b"low",), frozenset()))
    assert bench.again() == Recovered((b"low",))


def test_a_blob_that_is_here_is_not_written_again(bench: Bench) -> None:
    page = blobs(b"x" * 10_000)
    bench.keep(Store(page))
    size = bench.disk.size()
    bench.keep(Store(page))
    bench.again()
    bench.keep(Store(page))
    assert bench.disk.size() == size


def test_files_stay_within_a_few_times_what_is_alive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 5_000)
    alive: dict[bytes, bytes] = {}
    for number in range(80):
        page = blobs(b"%02d" % number * 400)
        # One of eight lives for ever, so that no segment is all dead.
        if number % 8 == 0:
            alive |= page
        bench.keep(Append(b"r"), Store(page), Compact((b"low",), frozenset(alive)))
    living = sum(map(len, alive.values()))
    assert bench.disk.size() < 2 * living + 3 * 5_000 < 80 * 800
    found = bench.again()
    assert found is not None and alive.items() <= found.blobs.items()


def test_segments_of_which_nothing_is_alive_are_gone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_BYTES", 5_000)
    for number in range(30):
        page = blobs(b"%02d" % number * 400)
        bench.keep(Store(page), Compact((b"low",), frozenset(page)))
    assert len(bench.segments()) <= 2


def test_starts_after_which_nothing_is_written_leave_no_files(bench: Bench) -> None:
    bench.keep(Append(b"one"), Store(blobs(b"page")))
    for _ in range(5):
        bench.again()
    assert len(bench.segments()) == 2
    assert bench.found == Recovered((b"one",), blobs(b"page"), False)


@pytest.mark.parametrize("name", ["log", "blobs-000002"])
def test_a_start_that_fails_holds_no_files(bench: Bench, name: str) -> None:
    bench.keep(Append(b"one"), Store(blobs(b"page")))
    path = bench.folder / name
    path.rename(bench.folder / "aside")
    path.mkdir()  # what is a folder cannot be opened for writing
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=r"directory"):
        Disk(bench.folder)
    assert len(os.listdir("/proc/self/fd")) == len(before)
