"""The simulated disk: what is read, what a crash leaves, and how a disk fails."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vista
from vista.testing import SimulatedDisk, SimulatedNode, World
from vista.testing.torn import SECTOR_BYTES, File, survivors

OLD = b"o" * 2000
NEW = b"n" * 3000


def after_crash(seed: int, life: Callable[[SimulatedNode], Any]) -> SimulatedDisk:
    """Return the disk of a node that did ``life(node)`` as a thread and then crashed."""
    with World(seed) as world:
        world.node("a").call(life, world.nodes[0])
        world.crash("a")
        return world.disk("a")


def sync(node: SimulatedNode, path: str = "") -> None:
    """Sync as a thread of the node."""
    vista.wait(node.disk.sync(path))


def outcomes(life: Callable[[SimulatedNode], Any], path: str = "file") -> set[bytes | None]:
    """Return what a file held after the crashes of many seeds; None: it was not there."""
    found: set[bytes | None] = set()
    for seed in range(60):
        disk = after_crash(seed, life)
        found.add(disk.read(path) if path in disk.names() else None)
    return found


@pytest.fixture
def disk() -> SimulatedDisk:
    """A disk on which nothing ever crashes."""
    with World(0) as world:
        return world.disk("a")


# --- files ---------------------------------------------------------------------------------


def test_what_was_written_is_read(disk: SimulatedDisk) -> None:
    disk.write("a/file", b"0123456789")
    disk.append("a/file", b"more")
    disk.overwrite("a/file", 2, b"xx")
    disk.overwrite("a/file", 16, b"!")
    assert disk.read("a/file") == b"01xx456789more\0\0!"
    disk.write("a/file", b"short")
    assert disk.read("a/file") == b"short"


def test_append_makes_the_file(disk: SimulatedDisk) -> None:
    disk.append("log", b"one")
    assert disk.read("log") == b"one"


def test_names_are_those_of_one_directory(disk: SimulatedDisk) -> None:
    for path in ("b", "a", "d/z", "d/y", "d/e/x"):
        disk.write(path, b"")
    assert (disk.names(), disk.names("d"), disk.names("no")) == (["a", "b"], ["y", "z"], [])


def test_rename_replaces_and_remove_removes(disk: SimulatedDisk) -> None:
    disk.write("one", b"1")
    disk.write("other", b"2")
    disk.rename("one", "other")
    assert (disk.names(), disk.read("other")) == (["other"], b"1")
    disk.remove("other")
    assert disk.names() == []


@pytest.mark.parametrize(
    "act",
    [
        lambda disk: disk.read("no"),
        lambda disk: disk.remove("no"),
        lambda disk: disk.rename("no", "other"),
        lambda disk: disk.overwrite("no", 0, b""),
    ],
)
def test_a_file_that_is_not_there_says_so(
    disk: SimulatedDisk, act: Callable[[SimulatedDisk], Any]
) -> None:
    with pytest.raises(FileNotFoundError):
        act(disk)


@pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/.", "a/"])
def test_paths_are_relative_and_plain(disk: SimulatedDisk, path: str) -> None:
    with pytest.raises(vista.BadValueError, match=r"no relative path"):
        disk.write(path, b"")


def test_a_rename_stays_in_its_directory(disk: SimulatedDisk) -> None:
    disk.write("a/file", b"")
    with pytest.raises(OSError) as caught:
        disk.rename("a/file", "b/file")
    assert caught.value.errno == errno.EXDEV


# --- what a crash leaves -------------------------------------------------------------------


def test_what_was_synced_with_its_name_is_there_after_a_crash() -> None:
    def life(node: SimulatedNode) -> None:
        node.disk.write("d/file", OLD)
        sync(node, "d/file")
        sync(node, "d")

    for seed in range(30):
        assert after_crash(seed, life).read("d/file") == OLD


def test_a_file_whose_name_was_not_synced_may_be_gone() -> None:
    def life(node: SimulatedNode) -> None:
        node.disk.write("file", OLD)
        sync(node, "file")

    assert outcomes(life) == {None, OLD}


def test_unsynced_content_is_lost_kept_or_torn() -> None:
    def life(node: SimulatedNode) -> None:
        node.disk.write("file", OLD)
        sync(node, "file")
        sync(node)
        node.disk.overwrite("file", 0, NEW)

    found = outcomes(life)
    assert {OLD, NEW} < found
    prefixes = {NEW[:cut] + OLD[cut:] for cut in range(len(NEW))}
    assert found & prefixes - {OLD, NEW}
    assert found - prefixes - {OLD, NEW}


def test_a_rename_is_the_one_or_the_other_and_durable_when_synced() -> None:
    def write_aside(node: SimulatedNode) -> None:
        node.disk.write("file", OLD)
        sync(node, "file")
        sync(node)
        node.disk.write("file.tmp", NEW)
        sync(node, "file.tmp")
        node.disk.rename("file.tmp", "file")

    def write_and_sync(node: SimulatedNode) -> None:
        write_aside(node)
        sync(node)

    assert outcomes(write_aside) == {OLD, NEW}
    assert outcomes(write_and_sync) == {NEW}


def test_a_file_renamed_before_its_content_was_synced_may_be_torn() -> None:
    def life(node: SimulatedNode) -> None:
        node.disk.write("file.tmp", NEW)
        node.disk.rename("file.tmp", "file")
        sync(node)

    found = outcomes(life)
    assert {b"", NEW} < found
    assert None not in found


def test_a_removed_file_may_come_back() -> None:
    def life(node: SimulatedNode) -> None:
        node.disk.write("file", OLD)
        sync(node, "file")
        sync(node)
        node.disk.remove("file")

    assert outcomes(life) == {OLD, None}


def test_what_comes_back_from_a_crash_stays_as_it_is() -> None:
    with World(4) as world:
        node = world.node("a")
        node.disk.write("file", NEW)
        node.call(sync, node)
        world.crash("a")
        left = world.disk("a").read("file")
        for _ in range(5):
            world.restart("a")
            world.crash("a")
        assert world.disk("a").read("file") == left


def test_a_crash_in_the_midst_of_a_sync_promises_nothing() -> None:
    found = set()
    for seed in range(40):
        with World(seed) as world:
            node = world.node("a")
            world.medium("a").sync_seconds = 10.0
            node.disk.write("file", OLD)
            ended = node.spawn(sync, node, "file")
            world.pass_time(1.0)
            world.crash("a")
            assert isinstance(ended.exception(), vista.ThreadKilled)
            found.add(tuple(world.disk("a").names()))
    assert found == {(), ("file",)}


def test_a_sync_takes_time_and_covers_what_was_written_before_it() -> None:
    with World(0) as world:
        node = world.node("a")
        world.medium("a").sync_seconds = 10.0
        node.disk.write("file", b"before")
        syncing = node.spawn(sync, node, "file")
        world.pass_time(1.0)
        node.disk.append("file", b" after")
        world.drive(syncing.done, 20.0)
        assert world.time > 5.0
        file = world.medium("a").files["file"]
        assert (bytes(file.durable), bytes(file.data)) == (b"before", b"before after")


def test_writers_that_crash_at_any_moment_keep_what_they_acknowledged() -> None:
    lengths = set()
    for seed in range(60):
        with World(seed) as world:
            acknowledged: list[int] = []

            def write(node: SimulatedNode, acknowledged: list[int] = acknowledged) -> None:
                sync(node)
                for number in range(1000):
                    node.disk.append("log", b"%06d\n" % number)
                    sync(node, "log")
                    if number == 0:
                        sync(node)
                    acknowledged.append(number)
                    vista.sleep(0.01)

            world.node("a", boot=write)
            world.pass_time(world.hub.dice.random())
            world.crash("a")
            disk = world.disk("a")
            lines = disk.read("log").split(b"\n") if "log" in disk.names() else []
            assert lines[: len(acknowledged)] == [b"%06d" % number for number in acknowledged]
            lengths.add(len(acknowledged))
    assert len(lengths) > 10


# --- torn writes against a simple model ----------------------------------------------------

changes = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=1500)),
        st.just(None),
    ),
    max_size=6,
)


def _do(file: File, change: tuple[int, bytes] | None) -> None:
    if change is None:
        file.truncate()
    else:
        file.write(*change)


def _model(content: bytes, change: tuple[int, bytes] | None) -> bytes:
    if change is None:
        return b""
    offset, data = change
    return content[:offset].ljust(offset, b"\0") + data + content[offset + len(data) :]


@given(synced=changes, unsynced=changes, seed=st.integers(0, 1000))
def test_each_byte_after_a_crash_was_there_before_it_in_some_version(
    synced: list[Any], unsynced: list[Any], seed: int
) -> None:
    file, content = File(), b""
    for change in synced:
        _do(file, change)
        content = _model(content, change)
    file.commit(len(synced))
    versions = [content]
    for change in unsynced:
        _do(file, change)
        versions.append(_model(versions[-1], change))
    assert bytes(file.data) == versions[-1]
    left = survivors(file, random.Random(seed))
    if not unsynced:
        assert left == content
    assert len(left) <= max(map(len, versions))
    for place, byte in enumerate(left):
        there = {version[place] for version in versions if place < len(version)}
        assert byte in there | {0}


@given(seed=st.integers(0, 10_000))
def test_a_sector_is_of_one_version_unless_the_write_was_cut_in_it(seed: int) -> None:
    file = File()
    file.write(0, OLD)
    file.commit(1)
    file.write(0, NEW)
    left = survivors(file, random.Random(seed))
    sectors = [left[at : at + SECTOR_BYTES] for at in range(0, len(OLD) - 512, SECTOR_BYTES)]
    mixed = [sector for sector in sectors if len(set(sector)) > 1]
    assert len(mixed) <= 1


# --- bad disks -----------------------------------------------------------------------------


def test_a_full_disk_takes_no_more_and_keeps_what_it_has() -> None:
    with World(0) as world:
        disk, medium = world.disk("a"), world.medium("a")
        disk.write("file", b"1234")
        medium.fill()
        for act in (lambda: disk.append("file", b"5"), lambda: disk.write("other", b"5")):
            with pytest.raises(OSError) as caught:
                act()
            assert caught.value.errno == errno.ENOSPC
        disk.overwrite("file", 0, b"4321")
        assert (disk.read("file"), disk.names()) == (b"4321", ["file"])
        medium.empty()
        disk.append("file", b"5")


def test_a_read_error_lasts_until_the_file_is_written_anew() -> None:
    with World(0) as world:
        disk = world.disk("a")
        assert world.medium("a").spoil() == ""
        disk.write("file", b"text")
        assert world.medium("a").spoil() == "file"
        disk.rename("file", "moved")
        with pytest.raises(OSError) as caught:
            disk.read("moved")
        assert caught.value.errno == errno.EIO
        disk.write("moved", b"anew")
        assert disk.read("moved") == b"anew"


def test_corruption_flips_one_bit() -> None:
    with World(0) as world:
        disk = world.disk("a")
        disk.write("file", bytes(100))
        assert world.medium("a").corrupt() == "file"
        assert sum(byte.bit_count() for byte in disk.read("file")) == 1
        assert world.medium("a").corrupt("no") == ""


def test_what_a_failed_sync_left_is_never_made_durable_by_the_next() -> None:
    def life(node: SimulatedNode) -> None:
        node.disk.write("file", b"old")
        sync(node, "file")
        sync(node)
        node.disk.overwrite("file", 0, b"new")
        node.disk.medium.failing_syncs = 1
        with pytest.raises(OSError):
            sync(node, "file")
        sync(node, "file")
        assert node.disk.read("file") == b"new"

    assert outcomes(life) == {b"old"}


def test_a_coroutine_awaits_a_sync() -> None:
    with World(0) as world:
        node = world.node("a")

        async def write() -> list[str]:
            node.disk.write("file", b"")
            await asyncio.gather(node.disk.sync("file"), node.disk.sync())
            return node.disk.names()

        assert node.call(lambda: vista.wait(write())) == ["file"]
