"""Files of uploads: theirs alone while they come, kept whole or gone, and nothing left over."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from apps.http.content.uploads import (
    NAME_START,
    SpoolFile,
    clean_directory,
    kept_path,
    prepare_directory,
)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A directory for uploads."""
    directory = tmp_path / "uploads"
    prepare_directory(directory)
    return directory


def test_what_was_written_is_read(spool: Path) -> None:
    file = SpoolFile(spool)
    file.write(b"abc")
    file.write(b"defg")
    assert (file.size, file.read(0, 100), file.read(2, 3)) == (7, b"abcdefg", b"cde")
    assert file.read(7, 1) == b""
    file.close()


def test_a_file_that_nobody_keeps_is_gone(spool: Path) -> None:
    file = SpoolFile(spool)
    file.write(b"abc")
    file.close()
    file.close()
    assert list(spool.iterdir()) == []


def test_nobody_else_may_read_what_comes(spool: Path) -> None:
    file = SpoolFile(spool)
    assert spool.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in spool.iterdir()] == [0o600]
    file.close()


def test_a_file_that_is_kept_stays_under_its_name(spool: Path) -> None:
    file = SpoolFile(spool)
    file.write(b"abc")
    file.keep(spool / "kept" / "a.txt", replace=False)
    file.close()
    assert (spool / "kept" / "a.txt").read_bytes() == b"abc"
    assert [path.name for path in spool.iterdir()] == ["kept"]


def test_no_file_is_replaced_unless_asked(spool: Path) -> None:
    place = spool / "a.txt"
    place.write_text("before")
    file = SpoolFile(spool)
    file.write(b"after")
    with pytest.raises(FileExistsError):
        file.keep(place, replace=False)
    assert place.read_text() == "before" and file.read(0, 5) == b"after"
    file.keep(place, replace=True)
    assert place.read_text() == "after"
    assert [path.name for path in spool.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_is_kept_on_another_file_system(spool: Path, replace: bool) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == spool.stat().st_dev:
        pytest.skip("there is no other file system here")
    place = other / f"vista-test-{os.getpid()}-{replace}"
    file = SpoolFile(spool)
    file.write(b"abc")
    try:
        file.keep(place, replace)
        assert place.read_bytes() == b"abc"
        again = SpoolFile(spool)
        with pytest.raises(FileExistsError):
            again.keep(place, replace=False)
        again.close()
    finally:
        place.unlink(missing_ok=True)
    assert list(spool.iterdir()) == []


def test_what_a_process_left_is_removed(spool: Path) -> None:
    (spool / f"{NAME_START}left").write_text("x")
    (spool / "kept.txt").write_text("x")
    (spool / f"{NAME_START}directory").mkdir()
    (spool / f"{NAME_START}link").symlink_to(spool / "kept.txt")
    assert clean_directory(spool) == 1
    assert (spool / "kept.txt").exists() and not (spool / f"{NAME_START}left").exists()


def test_what_is_still_written_is_not_removed(spool: Path) -> None:
    file = SpoolFile(spool)
    file.write(b"abc")
    assert clean_directory(spool) == 0
    assert file.read(0, 3) == b"abc" and len(list(spool.iterdir())) == 1
    file.close()


def test_a_directory_that_is_not_there_is_clean(tmp_path: Path) -> None:
    assert clean_directory(tmp_path / "nothing") == 0


def test_a_directory_of_somebody_else_s_making_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError, match=r"directory of this user's own"):
        prepare_directory(tmp_path / "link")


@contextmanager
def files_of(most: int) -> Iterator[None]:
    """Let no file of this process grow longer: a write then fails half way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_half_way_takes_its_half_back(spool: Path) -> None:
    file = SpoolFile(spool)
    file.write(b"abc")
    with files_of(5), pytest.raises(OSError) as caught:
        file.write(b"defg")
    assert caught.value.errno == errno.EFBIG
    assert (file.size, file.read(0, 100)) == (3, b"abc")
    file.write(b"hi")
    assert file.read(0, 100) == b"abchi"
    file.close()


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "/a", "a/../b", ".hidden", "a/.b", "a//b", "a\0b", "a\nb", "a\\b",
     "x" * 256],
    ids=range(13),
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"a kept file has a plain name"):
        kept_path(tmp_path, name)


def test_a_name_may_have_directories(tmp_path: Path) -> None:
    assert kept_path(tmp_path, "ships/a b.png") == tmp_path / "ships" / "a b.png"


def test_a_file_system_without_locks_leaves_nothing_open(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"no locks"):
        SpoolFile(spool)
    assert len(os.listdir("/proc/self/fd")) == before
    assert list(spool.iterdir()) == []
