"""PersistenceService with real files: where they are, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

import vista
from vista.errors import BadValueError, StoreError
from vista.limits import Limits
from vista.standard.persistence import PersistentObject


class Crate(PersistentObject):
    """Holds bytes."""

    def create(self, service: str = "/ObjectPager") -> None:
        """Begin empty."""
        self.load = b""
        self.initialize(service, durable=True)

    def fill(self, size: int) -> int:
        """Hold so many bytes."""
        self.load = bytes(size)
        return size

    def weigh(self) -> int:
        """Return how many bytes there are."""
        return len(self.load)


def test_a_node_without_a_state_directory_uses_that_of_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with vista.Node("sea/side"):
        vista.create("PersistenceService")
    assert (tmp_path / "vista" / "sea%2Fside" / "objects.sqlite").exists()


def test_services_of_other_names_have_stores_of_their_own(tmp_path: Path) -> None:
    with vista.Node(state_directory=tmp_path):
        for name in ("/ObjectPager", "Other/pager"):
            vista.create("PersistenceService", name)
        vista.create(Crate, "Other/pager")
        assert vista.send("/ObjectPager", "get_state")["kept"] == 0
        assert vista.send("Other/pager", "get_state")["kept"] == 1
    names = sorted(path.name for path in tmp_path.glob("*.sqlite"))
    assert names == ["objects-Other%2Fpager.sqlite", "objects.sqlite"]


def test_a_store_may_be_any_file_and_outlives_the_node(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "crates.sqlite")
    with vista.Node():
        vista.create("PersistenceService", store=path)
        crate = vista.create(Crate)
        crate.fill(7)
    with vista.Node():
        vista.create("PersistenceService", store=path)
        assert vista.send(vista.id_of(crate), "weigh") == 7


def test_a_store_in_use_is_refused_and_can_be_had_when_it_is_let_go(tmp_path: Path) -> None:
    path = str(tmp_path / "crates.sqlite")
    with vista.Node():
        first = vista.create("PersistenceService", store=path)
        with pytest.raises(StoreError, match=r"crates\.sqlite is in use by another process"):
            vista.create("PersistenceService", "Second", path)
        assert vista.service("/ObjectPager") == first
        first.delete_yourself()
        vista.create("PersistenceService", "Second", path)


def test_on_a_full_disk_the_calls_that_need_it_fail_and_nothing_else(tmp_path: Path) -> None:
    with vista.Node(state_directory=tmp_path, limits=Limits(store_bytes_max=256 * 1024)):
        vista.create("PersistenceService")
        large, small = vista.create(Crate), vista.create(Crate)
        with pytest.raises(StoreError, match=r"database or disk is full"):
            large.fill(1_000_000)
        assert small.fill(10) == 10
        with pytest.raises(StoreError):
            large.weigh()
        assert large.fill(20) == 20
    with vista.Node(state_directory=tmp_path):
        vista.create("PersistenceService")
        assert vista.send(vista.id_of(large), "weigh") == 20


def test_a_damaged_store_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "objects.sqlite"
    path.write_bytes(b"no database" * 1000)
    with (
        vista.Node(state_directory=tmp_path),
        pytest.raises(StoreError, match=r"objects\.sqlite: file is not a database"),
    ):
        vista.create("PersistenceService")
    assert path.read_bytes() == b"no database" * 1000


def test_a_store_of_another_kind_is_refused() -> None:
    with vista.Node(), pytest.raises(BadValueError, match=r"mysql:// is no store"):
        vista.create("PersistenceService", store="mysql://host/vista")


@pytest.mark.parametrize("seconds", [0, -1, 3600, float("nan")])
def test_a_delay_that_makes_no_sense_is_refused(seconds: float) -> None:
    with vista.Node(), pytest.raises(BadValueError, match=r"delay_seconds lies between"):
        vista.create("PersistenceService", delay_seconds=seconds)
