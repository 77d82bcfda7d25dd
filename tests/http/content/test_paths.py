"""From segments to an open file: what is found, what is refused, and that nothing lies outside."""

from __future__ import annotations

import errno
import os
import socket
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from apps.http.content.disk import Disk, OpenFile
from apps.http.content.names import (
    NAME_BYTES_MAX,
    SETTLED_FINE_NS,
    SETTLED_NS,
    other_spellings,
)
from apps.http.content.paths import (
    SPELLINGS_MAX,
    STEPS_MAX,
    Refusal,
    Roots,
    covers,
    resolve,
)
from apps.http.errors import FileChanged, RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.targets import parse_target

SECRET = b"outside of the root"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A root with some files, and beside it what nobody may see."""
    root = tmp_path / "site"
    (root / "docs" / "deep").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "index.html").write_bytes(b"home")
    (root / "page.html").write_bytes(b"page")
    (root / "docs" / "index.html").write_bytes(b"docs")
    (root / "docs" / "deep" / "a.txt").write_bytes(b"deep")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_bytes(SECRET)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    return root


def found(root: Path, path: str, **options: object) -> bytes | Refusal:
    """The bytes that a path below the root leads to, or why there are none."""
    return answer(replace(Roots((str(root),)), **options), path)  # type: ignore[arg-type]


def answer(roots: Roots, path: str) -> bytes | Refusal:
    """The bytes that a path leads to; every descriptor is closed again."""
    before = len(os.listdir("/dev/fd"))
    result = resolve(roots, path.split("/"))
    if isinstance(result, OpenFile):
        with result as file:
            content = file.read(0, file.size)
    assert len(os.listdir("/dev/fd")) <= before
    return content if isinstance(result, OpenFile) else result


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("page.html", b"page"),
        ("docs/deep/a.txt", b"deep"),
        ("", b"home"),
        ("docs/", b"docs"),
        ("docs/index.html", b"docs"),
    ],
)
def test_files_and_indexes_are_found(site: Path, path: str, content: bytes) -> None:
    assert found(site, path) == content


def test_no_segments_are_the_root(site: Path) -> None:
    result = resolve(Roots((str(site),)), [])
    assert isinstance(result, OpenFile)
    result.close()


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("missing", Refusal.NOT_FOUND),
        ("missing/", Refusal.NOT_FOUND),
        ("docs/missing.txt", Refusal.NOT_FOUND),
        ("page.html/", Refusal.NOT_FOUND),
        ("page.html/x", Refusal.NOT_FOUND),
        ("docs", Refusal.WITHOUT_SLASH),
        ("docs/deep", Refusal.WITHOUT_SLASH),
        ("empty/", Refusal.NO_INDEX),
        ("docs//index.html", Refusal.NOT_FOUND),
        ("/page.html", Refusal.NOT_FOUND),
        ("docs//", Refusal.NOT_FOUND),
        ("PAGE.html", Refusal.NOT_FOUND),
    ],
)
def test_what_is_no_file_is_refused(site: Path, path: str, refusal: Refusal) -> None:
    assert found(site, path) is refusal


@pytest.mark.parametrize(
    "segments",
    [
        ["..", "secret.txt"],
        ["docs", "..", "..", "secret.txt"],
        ["."],
        [".", "page.html"],
        ["../secret.txt"],
        ["docs/../../secret.txt"],
        ["/etc/passwd"],
        ["..", ""],
        ["page.html\0"],
        ["page.html\0.txt"],
        ["\0"],
        ["page.html."],
        ["page.html "],
        ["docs.", "index.html"],
        ["..."],
        ["x" * (NAME_BYTES_MAX + 1)],
        ["\u20ac" * 86],
        ["x" * 100_000],
        ["\ud800"],
        ["\udc80"],
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
def test_segments_that_are_no_names_are_not_found(
    site: Path, segments: list[str], hidden: bool
) -> None:
    assert resolve(Roots((str(site),), hidden=hidden), segments) is Refusal.NOT_FOUND


def test_the_longest_name_there_is_is_found(site: Path) -> None:
    name = "x" * NAME_BYTES_MAX
    (site / name).write_bytes(b"long")
    assert found(site, name) == b"long"


def test_a_deeper_path_than_the_bound_is_not_found(site: Path) -> None:
    below = site
    for _ in range(STEPS_MAX + 1):
        below /= "d"
    below.mkdir(parents=True)
    (below / "a.txt").write_bytes(b"deep")
    assert found(site, "d/" * (STEPS_MAX + 1) + "a.txt") is Refusal.NOT_FOUND
    (site / ("d/" * STEPS_MAX) / "a.txt").write_bytes(b"just")
    assert found(site, "d/" * STEPS_MAX + "a.txt") == b"just"


@pytest.mark.parametrize("path", [".env", ".git/config", "docs/.secret", ".git/"])
def test_names_that_begin_with_a_dot_are_hidden_unless_asked_for(site: Path, path: str) -> None:
    target = site / path
    if path.endswith("/"):
        target /= "index.html"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"hidden")
    assert found(site, path) is Refusal.HIDDEN
    assert found(site, path, hidden=True) == b"hidden"


def test_8615_well_known_is_not_hidden(site: Path) -> None:
    (site / ".well-known").mkdir()
    (site / ".well-known" / "security.txt").write_bytes(b"mail")
    assert found(site, ".well-known/security.txt") == b"mail"


def test_the_first_index_name_that_exists_counts(site: Path) -> None:
    names = ("index.shtml", "page.html", "index.html")
    assert found(site, "", index_names=names) == b"page"


def test_a_directory_of_the_name_of_an_index_is_none(site: Path) -> None:
    (site / "empty" / "index.html").mkdir()
    assert found(site, "empty/") is Refusal.NO_INDEX
    assert found(site, "empty/", index_names=("index.html", "../page.html")) == b"page"


def test_an_index_name_with_folders_is_walked_like_any_path(site: Path) -> None:
    (site / "out").symlink_to("../outside")
    assert found(site, "docs/", index_names=("deep/a.txt",)) == b"deep"
    assert found(site, "", index_names=("out/secret.txt",)) is Refusal.OUTSIDE
    assert found(site, "", index_names=("../secret.txt",)) is Refusal.OUTSIDE


def test_an_index_tells_its_name(site: Path) -> None:
    for segments, index in ([""], "index.html"), (["page.html"], None):
        result = resolve(Roots((str(site),)), segments)
        assert isinstance(result, OpenFile)
        with result:
            assert result.index == index


def test_roots_are_searched_in_turn(site: Path) -> None:
    other = site.parent / "other"
    other.mkdir()
    (other / "page.html").write_bytes(b"other page")
    (other / "only.html").write_bytes(b"only there")
    (other / "empty").mkdir()
    (other / "empty" / "index.html").write_bytes(b"not empty")
    roots = Roots((str(site), str(other)))
    assert answer(roots, "page.html") == b"page"
    assert answer(roots, "only.html") == b"only there"
    assert answer(roots, "empty/") == b"not empty"
    assert answer(roots, "docs") is Refusal.WITHOUT_SLASH
    assert answer(roots, "docs/deep/") is Refusal.NO_INDEX
    assert answer(roots, "nowhere/") is Refusal.NOT_FOUND


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO])
def test_a_root_that_fails_is_not_passed_over(site: Path, number: int) -> None:
    other = site.parent / "other"
    other.mkdir()
    (other / "page.html").write_bytes(b"other page")
    disk = FailingDisk("page.html", number)
    assert isinstance(answer(Roots((str(site), str(other)), disk=disk), "page.html"), Refusal)
    assert answer(Roots((str(site.parent / "no"), str(other))), "page.html") is Refusal.NO_ROOT


@pytest.mark.parametrize(
    "target",
    [
        "page.html",
        "./page.html",
        "docs/../page.html",
        "docs/deep/../../page.html",
        "//SITE//page.html",
        "/SITE/page.html",
        "/SITE/docs/../page.html",
        "chain",
    ],
)
def test_links_inside_of_the_root_are_followed(site: Path, target: str) -> None:
    target = target.replace("/SITE", str(site)).replace("//", "/")
    (site / "chain").symlink_to("page.html")
    (site / "link").symlink_to(target)
    assert found(site, "link") == b"page"


def test_absolute_links_inside_of_the_root_are_followed_from_any_directory(site: Path) -> None:
    (site / "docs" / "link").symlink_to(site / "page.html")
    (site / "docs" / "home").symlink_to(site)
    assert found(site, "docs/link") == found(site, "docs/home/page.html") == b"page"
    assert found(site, "docs/home/") == b"home"


def test_directories_may_be_links_inside_of_the_root(site: Path) -> None:
    (site / "manual").symlink_to("docs")
    (site / "docs" / "up").symlink_to("..")
    assert found(site, "manual/deep/a.txt") == b"deep"
    assert found(site, "manual/") == b"docs"
    assert found(site, "manual") is Refusal.WITHOUT_SLASH
    assert found(site, "docs/up/page.html") == b"page"
    assert found(site, "docs/up") is Refusal.WITHOUT_SLASH
    # The directory before, not the one that the link stands in.
    assert found(site, "manual/up/docs/deep/a.txt") == b"deep"


@pytest.mark.parametrize(
    "target",
    [
        "../secret.txt",
        "docs/../../secret.txt",
        "../outside/secret.txt",
        "../site/../secret.txt",
        "/etc/passwd",
        "/",
        "/SITE/../secret.txt",
        "/SITE-2/secret.txt",
        "/proc/self/root/etc/passwd",
        "../site/page.html",  # leads back in, but goes by the outside
        "..",
    ],
)
def test_links_out_of_the_root_are_refused(site: Path, target: str) -> None:
    second = site.with_name("site-2")
    second.mkdir()
    (second / "secret.txt").write_bytes(SECRET)
    (site / "link").symlink_to(target.replace("/SITE", str(site)))
    assert found(site, "link") is Refusal.OUTSIDE
    assert found(site, "link/") is Refusal.OUTSIDE
    assert found(site, "link/secret.txt") is Refusal.OUTSIDE


def test_what_lies_outside_is_not_told_from_what_does_not_exist(site: Path) -> None:
    (site / "there").symlink_to("../secret.txt")
    (site / "not-there").symlink_to("../missing.txt")
    assert found(site, "there") is found(site, "not-there") is Refusal.OUTSIDE
    assert Refusal.OUTSIDE.status == Refusal.NOT_FOUND.status


@pytest.mark.parametrize("target", ["link", "./link", "docs/../link", "other", "link/x"])
def test_links_in_a_circle_end(site: Path, target: str) -> None:
    (site / "other").symlink_to("link")
    (site / "link").symlink_to(target)
    assert found(site, "link") is Refusal.NOT_FOUND
    assert found(site, "link/a") is Refusal.NOT_FOUND


def test_links_that_multiply_end(site: Path) -> None:
    (site / "l0").symlink_to("docs")
    for number in range(1, 20):
        before = f"l{number - 1}"
        (site / f"l{number}").symlink_to(f"{before}/../{before}")
    assert found(site, "l3/index.html") == b"docs"
    assert found(site, "l19/index.html") is Refusal.NOT_FOUND


def test_an_index_may_be_a_link_and_not_lead_out(site: Path) -> None:
    (site / "docs" / "index.html").unlink()
    (site / "docs" / "index.html").symlink_to("../page.html")
    (site / "empty" / "index.html").symlink_to("../../secret.txt")
    assert found(site, "docs/") == b"page"
    assert found(site, "empty/") is Refusal.OUTSIDE


def test_an_index_that_leads_nowhere_leaves_the_next_its_turn(site: Path) -> None:
    (site / "docs" / "first").symlink_to("../missing")
    assert found(site, "docs/", index_names=("first", "index.html")) == b"docs"


def test_the_root_itself_may_be_a_link(site: Path) -> None:
    turned = site.parent / "current"
    turned.symlink_to("site")
    (site / "absolute").symlink_to(turned / "page.html")
    (site / "real").symlink_to(site / "page.html")
    assert found(turned, "page.html") == found(turned, "absolute") == b"page"
    assert found(turned, "real") == b"page"


@pytest.mark.parametrize("path", ["missing", "site/page.html"])
def test_a_root_that_is_no_directory_fails(site: Path, path: str) -> None:
    assert found(site.parent / path, "a") is Refusal.NO_ROOT


def make_fifo(path: Path) -> None:
    """A FIFO, whose opening would wait for a writer."""
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    """A socket that is bound to a name."""
    # The name of a socket is short: it is bound from its own directory.
    here = os.open(".", os.O_RDONLY)
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


@pytest.mark.parametrize("make", [make_fifo, make_socket], ids=["fifo", "socket"])
def test_what_is_no_file_is_never_opened(site: Path, make: Callable[[Path], None]) -> None:
    make(site / "thing")
    (site / "link").symlink_to("thing")
    assert found(site, "thing") is Refusal.NOT_A_FILE
    assert found(site, "link") is Refusal.NOT_A_FILE
    assert found(site, "thing/") is Refusal.NOT_FOUND
    assert found(site, "thing/x") is Refusal.NOT_FOUND


def test_devices_are_not_read() -> None:
    assert found(Path("/dev"), "zero") is Refusal.NOT_A_FILE


class ChangingDisk(Disk):
    """A disk on which somebody changes a name right before or after it is looked at."""

    def __init__(self, moment: str, name: str, change: Callable[[], None]) -> None:
        self.moment, self.name, self.change = moment, name, change

    def _at(self, moment: str, name: str) -> None:
        if (moment, name) == (self.moment, self.name):
            self.moment = "over"
            self.change()

    def status(self, name: str, directory: int) -> os.stat_result:
        """As on the disk, with changes before and after."""
        self._at("before status", name)
        found = super().status(name, directory)
        self._at("after status", name)
        return found

    def open(self, name: str, flags: int, directory: int | None = None) -> int:
        """As on the disk, with changes before and after."""
        self._at("before open", name)
        descriptor = super().open(name, flags, directory)
        self._at("after open", name)
        return descriptor

    def read_link(self, name: str, directory: int) -> str:
        """As on the disk, with changes before and after."""
        self._at("before link", name)
        target = super().read_link(name, directory)
        self._at("after link", name)
        return target


def replaced(path: Path, target: str) -> Callable[[], None]:
    """Somebody who puts a link in the place of a file or directory."""

    def change() -> None:
        path.rename(path.with_name("old"))
        path.symlink_to(target)

    return change


MOMENTS = ["before status", "after status", "before open", "after open"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_file_that_becomes_a_link_meanwhile_leads_nowhere_else(site: Path, moment: str) -> None:
    change = replaced(site / "page.html", "../secret.txt")
    disk = ChangingDisk(moment, "page.html", change)
    result = found(site, "page.html", disk=disk)
    assert disk.moment == "over"
    assert result in (b"page", Refusal.NOT_FOUND, Refusal.OUTSIDE)


@pytest.mark.parametrize("name", ["docs", "deep"])
@pytest.mark.parametrize("moment", ["before open", "after open"])
def test_a_directory_that_becomes_a_link_meanwhile_leads_nowhere_else(
    site: Path, moment: str, name: str
) -> None:
    (site.parent / "outside" / "a.txt").write_bytes(SECRET)
    (site.parent / "outside" / "deep").mkdir()
    (site.parent / "outside" / "deep" / "a.txt").write_bytes(SECRET)
    path = next(site.rglob(name))
    change = replaced(path, str(site.parent / "outside"))
    disk = ChangingDisk(moment, name, change)
    result = found(site, "docs/deep/a.txt", disk=disk)
    assert disk.moment == "over"
    assert result in (b"deep", Refusal.OUTSIDE)


@pytest.mark.parametrize("moment", ["before link", "after link"])
def test_a_link_that_becomes_another_meanwhile_leads_nowhere_else(site: Path, moment: str) -> None:
    (site / "link").symlink_to("page.html")
    disk = ChangingDisk(moment, "link", replaced(site / "link", "../secret.txt"))
    assert found(site, "link", disk=disk) in (b"page", Refusal.OUTSIDE)
    assert disk.moment == "over"


def test_a_directory_moved_out_meanwhile_does_not_take_the_walk_up_with_it(site: Path) -> None:
    # 1. The walk enters docs/deep. 2. Somebody moves it to outside/. 3. The link there says
    # ../secret.txt, which the kernel would look up in outside/.
    (site / "docs" / "deep" / "link").symlink_to("../secret.txt")

    def change() -> None:
        (site / "docs" / "deep").rename(site.parent / "outside" / "deep")

    disk = ChangingDisk("after open", "deep", change)
    assert found(site, "docs/deep/link", disk=disk) is Refusal.NOT_FOUND
    assert disk.moment == "over"


@pytest.mark.parametrize("moment", ["after status", "before open"])
def test_a_file_that_becomes_a_fifo_meanwhile_makes_nobody_wait(site: Path, moment: str) -> None:
    def change() -> None:
        (site / "page.html").unlink()
        os.mkfifo(site / "page.html")

    disk = ChangingDisk(moment, "page.html", change)
    assert found(site, "page.html", disk=disk) is Refusal.NOT_A_FILE


def test_a_file_that_becomes_a_directory_meanwhile_is_no_file(site: Path) -> None:
    def change() -> None:
        (site / "page.html").unlink()
        (site / "page.html").mkdir()

    disk = ChangingDisk("before open", "page.html", change)
    assert found(site, "page.html", disk=disk) is Refusal.NOT_A_FILE


class FailingDisk(Disk):
    """A disk that fails for one name."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number

    def open(self, name: str, flags: int, directory: int | None = None) -> int:
        """As on the disk, but for the name that fails."""
        if name == self.name:
            raise OSError(self.number, os.strerror(self.number))
        return super().open(name, flags, directory)


@pytest.mark.parametrize("name", ["docs", "a.txt"])
@pytest.mark.parametrize(
    ("number", "refusal"),
    [
        (errno.EACCES, Refusal.NOT_ALLOWED),
        (errno.EPERM, Refusal.NOT_ALLOWED),
        (errno.EMFILE, Refusal.TOO_BUSY),
        (errno.ENFILE, Refusal.TOO_BUSY),
        (errno.EIO, Refusal.DISK_FAILED),
        (errno.ESTALE, Refusal.NOT_FOUND),
    ],
)
def test_each_failure_of_the_disk_has_its_refusal(
    site: Path, name: str, number: int, refusal: Refusal
) -> None:
    assert found(site, "docs/deep/a.txt", disk=FailingDisk(name, number)) is refusal


def test_too_many_open_files_are_told_from_a_missing_root(site: Path) -> None:
    assert found(site, "a", disk=FailingDisk(str(site), errno.EMFILE)) is Refusal.TOO_BUSY
    assert found(site, "a", disk=FailingDisk(str(site), errno.EACCES)) is Refusal.NO_ROOT


def test_an_index_that_may_not_be_read_is_not_passed_over(site: Path) -> None:
    assert found(site, "docs/", disk=FailingDisk("index.html", errno.EACCES)) is (
        Refusal.NOT_ALLOWED
    )


class FoldingDisk(Disk):
    """A disk that finds names in any case, as those of other systems do."""

    def _spelled(self, name: str, directory: int) -> str:
        return next((own for own in self.names(directory) if own.lower() == name.lower()), name)

    def status(self, name: str, directory: int) -> os.stat_result:
        """As on the disk, whatever the case."""
        return super().status(self._spelled(name, directory), directory)

    def has(self, name: str, directory: int) -> bool:
        """As on the disk, whatever the case."""
        return super().has(self._spelled(name, directory), directory)

    def open(self, name: str, flags: int, directory: int | None = None) -> int:
        """As on the disk, whatever the case."""
        spelled = name if directory is None else self._spelled(name, directory)
        return super().open(spelled, flags, directory)

    def read_link(self, name: str, directory: int) -> str:
        """As on the disk, whatever the case."""
        return super().read_link(self._spelled(name, directory), directory)


@pytest.mark.parametrize(
    "path",
    ["PAGE.html", "Docs/deep/a.txt", "docs/DEEP/a.txt", "DOCS/", "TO_PAGE", "TO_DOCS/deep/a.txt"],
)
def test_where_case_is_ignored_only_the_spelling_on_the_disk_is_found(
    site: Path, path: str
) -> None:
    (site / "to_page").symlink_to("page.html")
    (site / "to_docs").symlink_to("docs")
    assert found(site, path, disk=FoldingDisk()) is Refusal.NOT_FOUND
    assert isinstance(found(site, path.swapcase().lower(), disk=FoldingDisk()), bytes)


class SettledDisk(Disk):
    """A disk whose directories have rested since ``changed`` was counted up.

    By the system's own times two changes may be one.
    """

    changed = 0

    def state(self, directory: int) -> tuple[int, int, int]:
        """Which directory, and what was counted."""
        return (*super().state(directory)[:2], self.changed)

    def now_ns(self) -> int:
        """Late."""
        return SETTLED_NS


class CountingDisk(SettledDisk):
    """A disk that notes what it is asked for."""

    def __init__(self) -> None:
        self.looked: list[str] = []

    def status(self, name: str, directory: int) -> os.stat_result:
        """As on the disk."""
        self.looked.append(name)
        return super().status(name, directory)


def test_where_nothing_can_be_learnt_no_error_is_made_of_a_name_that_is_not_there(
    site: Path,
) -> None:
    class Fresh(CountingDisk):
        """A disk on which something is changed all the time."""

        def now_ns(self) -> int:
            return self.changed

    disk = Fresh()
    assert answer(Roots((str(site),), disk=disk), "docs/index.html") == b"docs"
    assert disk.looked == ["index.html"]


def test_a_name_that_is_a_link_to_nowhere_is_there(site: Path) -> None:
    (site / "lost").symlink_to("nowhere")
    opened = os.open(site, os.O_RDONLY)
    try:
        names = ("lost", "page.html", "no")
        assert [Disk().has(name, opened) for name in names] == [True, True, False]
    finally:
        os.close(opened)


def test_that_a_directory_tells_case_is_found_out_once(site: Path) -> None:
    disk = CountingDisk()
    roots = Roots((str(site),), disk=disk)
    assert [answer(roots, "docs/index.html") for _ in range(3)] == [b"docs"] * 3
    assert (disk.looked.count("DOCS"), disk.looked.count("INDEX.HTML")) == (1, 1)
    assert answer(roots, "page.html") == b"page"
    assert "PAGE.HTML" not in disk.looked


def test_that_a_directory_tells_case_is_found_out_again_when_it_has_changed(site: Path) -> None:
    disk = CountingDisk()
    roots = Roots((str(site),), disk=disk)
    answer(roots, "page.html")
    disk.changed += 1
    answer(roots, "page.html")
    assert disk.looked.count("PAGE.HTML") == 2


def test_a_directory_that_is_changed_or_is_another_one_has_another_state(tmp_path: Path) -> None:
    states = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        opened = os.open(tmp_path / name, os.O_RDONLY)
        states.append(Disk().state(opened))
        before = os.fstat(opened).st_ctime_ns
        for _ in range(1_000_000):  # until the clock that the disk goes by has ticked
            os.utime(tmp_path / name)
            if os.fstat(opened).st_ctime_ns != before:
                break
        states.append(Disk().state(opened))
        os.close(opened)
    assert len(set(states)) == 4
    assert 0 <= Disk().now_ns() - states[-1][2] < 3_600_000_000_000


def test_of_a_directory_that_was_changed_a_moment_ago_nothing_is_learnt(site: Path) -> None:
    class Hasty(SettledDisk):
        """A disk on which something was changed just about now."""

        def now_ns(self) -> int:
            return SETTLED_NS - 1

    # What was changed within one tick of the clock has the same time before and after.
    roots = Roots((str(site),), disk=Hasty())
    assert answer(roots, "page.html") == b"page"
    assert roots.spellings == set()


@pytest.mark.parametrize(
    ("changed", "rested", "learns"),
    [
        (2_000_000_000, SETTLED_NS - 1, False),
        (2_010_000_000, SETTLED_NS - 1, False),
        (2_010_000_000, SETTLED_NS, True),
        (2_010_000_001, SETTLED_FINE_NS - 1, False),
        (2_010_000_001, SETTLED_FINE_NS, True),
    ],
)
def test_the_finer_the_clock_of_a_disk_the_sooner_is_learnt(
    changed: int, rested: int, learns: bool, site: Path
) -> None:
    class Clocked(SettledDisk):
        """A disk with a clock of its own."""

        def now_ns(self) -> int:
            return self.changed + rested

    disk = Clocked()
    disk.changed = changed
    roots = Roots((str(site),), disk=disk)
    assert answer(roots, "page.html") == b"page"
    assert bool(roots.spellings) is learns


class SettledChangingDisk(SettledDisk, ChangingDisk):
    """A disk that was at rest until somebody changed something."""


def test_of_a_name_that_was_taken_away_meanwhile_nothing_is_learnt(site: Path) -> None:
    disk = SettledChangingDisk("before status", "PAGE.HTML", (site / "page.html").unlink)
    roots = Roots((str(site),), disk=disk)
    assert answer(roots, "page.html") is Refusal.NOT_FOUND
    assert roots.spellings == set()


def test_of_a_file_that_is_put_away_and_back_meanwhile_nothing_is_learnt(site: Path) -> None:
    class Replaced(SettledDisk, FoldingDisk):
        """A disk that ignores case, on which a file is written anew just then."""

        def status(self, name: str, directory: int) -> os.stat_result:
            if name != "PAGE.HTML":
                return super().status(name, directory)
            self.changed += 1
            raise FileNotFoundError(errno.ENOENT, name)

    roots = Roots((str(site),), disk=Replaced())
    assert answer(roots, "page.html") == b"page"
    assert roots.spellings == set()


def test_the_directories_that_are_known_to_tell_case_are_bounded(site: Path) -> None:
    roots = Roots((str(site),), disk=SettledDisk())
    roots.spellings.update((0, number, 0) for number in range(SPELLINGS_MAX))
    assert answer(roots, "page.html") == b"page"
    assert len(roots.spellings) == 1


def test_of_a_look_that_failed_nothing_is_learnt(site: Path) -> None:
    class Failing(SettledDisk):
        """A disk that cannot tell whether it has a name in capitals."""

        def status(self, name: str, directory: int) -> os.stat_result:
            if name.isupper():
                raise OSError(errno.EIO, name)
            return super().status(name, directory)

    roots = Roots((str(site),), disk=Failing())
    assert answer(roots, "docs/index.html") == b"docs"
    assert roots.spellings == set()


class SettledFoldingDisk(SettledDisk, FoldingDisk):
    """A disk at rest that ignores case, though not that of every letter."""


def test_a_letter_that_a_disk_folds_in_its_own_way_tells_nothing_of_other_names(
    site: Path,
) -> None:
    (site / "stra\u00dfe.html").write_bytes(b"street")  # in capitals it has SS
    roots = Roots((str(site),), disk=SettledFoldingDisk())
    assert answer(roots, "stra\u00dfe.html") == b"street"
    assert answer(roots, "PAGE.html") is Refusal.NOT_FOUND
    assert roots.spellings == set()


class ComposingDisk(SettledDisk):
    """A disk that tells case, and overlooks how letters are composed and what nobody sees."""

    def _spelled(self, name: str, directory: int) -> str:
        def bare(text: str) -> str:
            return unicodedata.normalize("NFD", text).replace("\u200b", "").replace("\ufe0f", "")

        return next((own for own in self.names(directory) if bare(own) == bare(name)), name)

    def status(self, name: str, directory: int) -> os.stat_result:
        """As on the disk, however it is composed."""
        return super().status(self._spelled(name, directory), directory)

    def has(self, name: str, directory: int) -> bool:
        """As on the disk, however it is composed."""
        return super().has(self._spelled(name, directory), directory)

    def open(self, name: str, flags: int, directory: int | None = None) -> int:
        """As on the disk, however it is composed."""
        spelled = name if directory is None else self._spelled(name, directory)
        return super().open(spelled, flags, directory)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("caf\u00e9", "cafe\u0301"),
        ("cafe\u0301", "caf\u00e9"),
        ("\uac00", "\u1100\u1161"),
        ("2024", "2024\u200b"),
        ("2024", "2024\ufe0f"),
    ],
    ids=ascii,
)
def test_where_composition_is_ignored_only_the_spelling_on_the_disk_is_found(
    site: Path, own: str, other: str
) -> None:
    (site / own).write_bytes(b"own")
    roots = Roots((str(site),), disk=ComposingDisk())
    assert answer(roots, "page.html") == b"page"  # it is known to tell case
    assert answer(roots, other) is Refusal.NOT_FOUND
    assert answer(roots, own) == b"own"


def test_a_directory_is_listed_once_however_many_spellings_of_a_name_are_there(site: Path) -> None:
    class ListedDisk(Disk):
        """A disk that knows a name by whatever spelling."""

        listings = 0

        def has(self, name: str, directory: int) -> bool:
            return True

        def names(self, directory: int) -> list[str]:
            self.listings += 1
            return super().names(directory)

    (site / "caf\u00e9").write_bytes(b"own")
    disk = ListedDisk()
    assert len(other_spellings("caf\u00e9")) > 1
    assert answer(Roots((str(site),), disk=disk), "caf\u00e9") == b"own"
    assert disk.listings == 1


def test_where_case_is_ignored_nothing_is_remembered(site: Path) -> None:
    roots = Roots((str(site),), disk=SettledFoldingDisk())
    assert answer(roots, "page.html") == b"page"
    assert answer(roots, "PAGE.html") is Refusal.NOT_FOUND
    assert roots.spellings == set()


def test_two_files_that_differ_in_case_are_both_found(site: Path) -> None:
    (site / "Page.html").write_bytes(b"other")
    (site / "pAGE.HTML").write_bytes(b"turned")
    assert found(site, "page.html") == b"page"
    assert found(site, "Page.html") == b"other"
    assert found(site, "pAGE.HTML") == b"turned"


PIECES = st.sampled_from(
    ["..", ".", "", "docs", "deep", "a.txt", "out", "up", "secret.txt", "page.html", "index.html"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES | st.text(max_size=3), max_size=8), st.booleans())
@example(["out", "secret.txt"], True)
@example(["docs", "up", "up", "secret.txt"], True)
def test_no_segments_lead_out(site: Path, segments: list[str], hidden: bool) -> None:
    if not (site / "out").is_symlink():
        (site / "out").symlink_to("../outside")
        (site / "docs" / "up").symlink_to("..")
    result = resolve(Roots((str(site),), hidden=hidden), segments)
    if isinstance(result, OpenFile):
        with result as file:
            assert file.read(0, 100) in (b"home", b"page", b"docs", b"deep")


ENCODED = (
    rb"/ .. . %2e %2E%2e %2f %5c \ %00 %252e %c0%ae ? // "
    b"docs up out secret.txt %73ecret.txt page.html"
).split()
TARGETS = st.builds(
    bytes.join, st.sampled_from([b"", b"/"]), st.lists(st.sampled_from(ENCODED), max_size=9)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TARGETS)
@example(b"../secret.txt")
@example(b"docs/%2e%2e/%2e%2e/secret.txt")
@example(b"..%2fsecret.txt")
@example(b"out/secret.txt")
def test_no_target_leads_out_however_it_is_encoded(site: Path, target: bytes) -> None:
    if not (site / "out").is_symlink():
        (site / "out").symlink_to("../outside")
    try:
        path = parse_target(b"/" + target, "GET", Fields([("Host", "a")]), (1, 1)).path
    except RequestRejected:
        return
    result = resolve(Roots((str(site),), hidden=True), path)
    if isinstance(result, OpenFile):
        with result as file:
            assert file.read(0, 100) in (b"home", b"page", b"docs", b"deep")


def opened(path: Path) -> OpenFile:
    """A file of the site, open."""
    result = resolve(Roots((str(path.parent),)), [path.name])
    assert isinstance(result, OpenFile)
    return result


def test_a_file_tells_what_it_was_when_it_was_opened(site: Path) -> None:
    status = (site / "page.html").stat()
    with opened(site / "page.html") as file:
        assert (file.size, file.modified_ns) == (4, status.st_mtime_ns)
        assert (file.inode, file.root, file.index) == (status.st_ino, str(site), None)


@pytest.mark.parametrize(
    ("start", "count", "content"),
    [(0, 4, b"page"), (1, 2, b"ag"), (3, 100, b"e"), (4, 1, b""), (9, 1, b""), (0, 0, b"")],
)
def test_a_file_is_read_in_parts(site: Path, start: int, count: int, content: bytes) -> None:
    with opened(site / "page.html") as file:
        assert file.read(start, count) == content


def test_a_file_that_is_replaced_is_read_on_as_it_was(site: Path) -> None:
    with opened(site / "page.html") as file:
        (site / "fresh").write_bytes(b"fresh")
        (site / "fresh").rename(site / "page.html")
        assert file.read(0, 4) == b"page"


def test_a_file_that_is_deleted_is_read_on(site: Path) -> None:
    with opened(site / "page.html") as file:
        (site / "page.html").unlink()
        assert file.read(0, 4) == b"page"


@pytest.mark.parametrize(("start", "count"), [(0, 4), (2, 1), (3, 9)])
def test_a_file_that_is_truncated_is_told(site: Path, start: int, count: int) -> None:
    with opened(site / "page.html") as file:
        os.truncate(site / "page.html", 2)
        assert file.read(0, 2) == b"pa"
        with pytest.raises(FileChanged, match=r"the file ends at 2 where it had 4 bytes"):
            file.read(min(start, 2), count)


def test_a_file_that_grows_is_read_to_the_size_it_had(site: Path) -> None:
    with opened(site / "page.html") as file:
        with (site / "page.html").open("ab") as more:
            more.write(b" two")
        assert file.read(0, 100) == b"page"


def test_a_closed_file_is_closed_once(site: Path) -> None:
    file = opened(site / "page.html")
    descriptor = file.fileno()
    file.close()
    with (site / "page.html").open("rb") as other:
        # Another file has the number meanwhile.
        os.dup2(other.fileno(), descriptor)
    file.close()
    assert os.read(descriptor, 4) == b"page"
    os.close(descriptor)


def test_what_is_in_memory_is_read_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcdef")
    with resolve(Roots((str(tmp_path),)), ("a",)) as file:  # type: ignore[union-attr]
        assert file.read_ready(2, 3) == b"cde"
        assert file.read_ready(4, 100) == b"ef"
        assert file.read_ready(6, 10) == b""


def test_what_is_not_all_there_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcdef")
    with resolve(Roots((str(tmp_path),)), ("a",)) as file:  # type: ignore[union-attr]
        os.truncate(tmp_path / "a", 3)
        assert file.read_ready(0, 6) is None
        with pytest.raises(FileChanged):
            file.read(0, 6)


@pytest.mark.parametrize(
    ("place", "covered"),
    [
        (("staff",), True),
        (("staff", "a", "b"), True),
        (("staff.gz",), True),
        (("staff.txt",), False),
        (("staffing",), False),
        ((), False),
        (("a", "staff"), False),
    ],
)
def test_a_prefix_covers_itself_what_is_below_and_its_compressed_forms(
    place: tuple[str, ...], covered: bool
) -> None:
    assert covers(("staff",), place) is covered


@pytest.mark.parametrize(
    "path", [("staff", "pay"), ("link", "pay"), ("up", "staff", "pay"), ("file",), ("staff", "")]
)
def test_nothing_leads_into_a_closed_place(tmp_path: Path, path: tuple[str, ...]) -> None:
    (tmp_path / "staff").mkdir()
    (tmp_path / "staff" / "pay").write_text("secret")
    (tmp_path / "staff" / "index.html").write_text("secret")
    (tmp_path / "link").symlink_to("staff")
    (tmp_path / "up").symlink_to(".")
    (tmp_path / "file").symlink_to("link/pay")
    roots = Roots((str(tmp_path),), closed=(("staff",),))
    assert resolve(roots, path) is Refusal.PROTECTED
