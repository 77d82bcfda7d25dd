"""The identity of a node that outlives its process."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import vista
from vista.errors import StoreError
from vista.ids import SERIAL_MAX
from vista.kernel.identity import BLOCK, STORES_MAX, FileIdentity
from vista.kernel.table import make_table


class Passenger(vista.Object):
    """Has nothing but its Id."""


class SmallBlocks:
    """An identity with small blocks."""

    node = b"0123456789"

    def __init__(self) -> None:
        self.start = 1

    def take_block(self) -> range:
        """Return three numbers, and lose some."""
        self.start += 10
        return range(self.start, self.start + 3)

    def close(self) -> None:
        """Do nothing."""


def test_a_node_has_its_identity_again_and_gives_no_id_twice(tmp_path: Path) -> None:
    given = []
    for _ in range(3):
        with vista.Node(state_directory=tmp_path / "state"):
            given += [vista.id_of(vista.create(Passenger)) for _ in range(3)]
    assert len({id.node for id in given}) == 1
    assert len(set(given)) == 9


def test_the_object_creator_is_the_same_to_peers(tmp_path: Path) -> None:
    creators = []
    for _ in range(2):
        with vista.Node(state_directory=tmp_path):
            creators.append(vista.id_of("ObjectCreator"))
    assert creators[0] == creators[1]


def test_a_node_without_a_state_directory_is_another_one_each_time() -> None:
    nodes = []
    for _ in range(2):
        with vista.Node():
            nodes.append(vista.id_of(vista.create(Passenger)).node)
    assert nodes[0] != nodes[1]


def test_a_block_is_on_the_disk_before_it_is_given(tmp_path: Path) -> None:
    identity = FileIdentity(tmp_path)
    block = identity.take_block()
    assert (block.start, len(block)) == (1, BLOCK)
    assert identity.path.read_text().split()[-1] == str(block.stop)
    identity.close()
    again = FileIdentity(tmp_path)
    assert again.node == identity.node
    assert again.take_block().start == block.stop
    again.close()


def test_a_directory_in_use_is_refused_and_the_process_named(tmp_path: Path) -> None:
    wanted = rf"is in use by process {os.getpid()}; a state directory belongs to one node"
    with vista.Node(state_directory=tmp_path), pytest.raises(StoreError, match=wanted):
        vista.Node(state_directory=tmp_path)
    with vista.Node(state_directory=tmp_path):
        pass


def test_a_process_that_did_not_say_who_it_is_is_another_one(tmp_path: Path) -> None:
    identity = FileIdentity(tmp_path)
    (tmp_path / "lock").write_text("no number")
    with pytest.raises(StoreError, match=r"is in use by another process; a state directory"):
        FileIdentity(tmp_path)
    identity.close()


@pytest.mark.parametrize("text", ["", "vista-identity 2 00 1\n", "vista-identity 1 zz 1\n"])
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "identity"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"identity is damaged; put a copy of it back, or remove"):
        FileIdentity(tmp_path)
    assert path.read_text() == text
    path.unlink()
    FileIdentity(tmp_path).close()


@pytest.mark.parametrize("name", ["file", "file/state"])
def test_what_is_no_directory_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match=rf"{name} is no directory, and a state directory is to"):
        FileIdentity(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_this_user_may_not_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match=r"cannot be a state directory: Permission denied; name"):
        FileIdentity(tmp_path)


def test_a_directory_without_room_for_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(StoreError, match=r"cannot be a state directory: Is a directory; name one"):
        FileIdentity(tmp_path)


def test_the_stores_of_all_runs_are_remembered(tmp_path: Path) -> None:
    names = ["/ObjectPager", 'At"tic\n', "Größe"]
    for name in names:
        identity = FileIdentity(tmp_path)
        identity.note_store(name)
        identity.close()
    identity = FileIdentity(tmp_path)
    assert identity.stores == set(names)
    assert (tmp_path / "stores").read_text().splitlines()[0] == '"/ObjectPager"'
    identity.close()


def test_a_store_is_remembered_when_its_service_is_made_and_missed_until_it_is_made_again(
    tmp_path: Path,
) -> None:
    missed = []
    for _ in range(2):
        with vista.Node(state_directory=tmp_path) as node:
            missed.append(node.kernel.pagers.closed_stores())
            for name in ("/ObjectPager", "/Attic"):
                vista.create("PersistenceService", name)
                missed.append(node.kernel.pagers.closed_stores())
    assert missed == [[], [], [], ["/Attic", "/ObjectPager"], ["/Attic"], []]


def test_a_node_without_a_state_directory_misses_no_store(tmp_path: Path) -> None:
    with vista.Node() as node:
        vista.create("PersistenceService", "/Attic", str(tmp_path / "attic.sqlite"))
        assert node.kernel.pagers.closed_stores() == []


def test_stores_that_are_opened_at_once_are_all_remembered(tmp_path: Path) -> None:
    identity = FileIdentity(tmp_path)
    names = {f"/Store{number}" for number in range(8)}
    together = threading.Barrier(len(names))

    def note(name: str) -> None:
        together.wait(30)
        identity.note_store(name)

    threads = [threading.Thread(target=note, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    identity.close()
    identity = FileIdentity(tmp_path)
    assert identity.stores == names
    identity.close()


def test_who_removes_a_line_of_the_list_of_stores_may_leave_it_empty(tmp_path: Path) -> None:
    (tmp_path / "stores").write_text('"/Attic"\n\n\r\n')
    identity = FileIdentity(tmp_path)
    assert identity.stores == {"/Attic"}
    identity.close()


def test_a_list_of_stores_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    identity = FileIdentity(tmp_path)
    (tmp_path / "stores").mkdir()
    with pytest.raises(StoreError, match=r"/stores: Is a directory"):
        identity.note_store("/Attic")
    assert identity.stores == set()
    identity.close()
    with pytest.raises(StoreError, match=r"/stores: Is a directory"):
        FileIdentity(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["/ObjectPager\n", "7\n", '"/Obj', '"a"\n[]\n', "[" * 100_000],
    ids=["bare", "number", "cut", "list", "nested"],
)
def test_a_damaged_list_of_stores_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stores"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"stores is damaged: it has a name in quotes on each"):
        FileIdentity(tmp_path)
    assert path.read_text() == text
    path.unlink()
    FileIdentity(tmp_path).close()


def test_no_more_stores_are_remembered_than_a_node_can_have(tmp_path: Path) -> None:
    (tmp_path / "stores").write_text("".join(f'"{number}"\n' for number in range(STORES_MAX)))
    identity = FileIdentity(tmp_path)
    identity.note_store("7")
    with pytest.raises(StoreError, match=r"stores names 1000 stores; stop the node and remove"):
        identity.note_store("another")
    identity.close()


def test_numbers_that_are_used_up_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "identity").write_text(f"vista-identity 1 {'0' * 20} {SERIAL_MAX - 5}\n")
    identity = FileIdentity(tmp_path)
    with pytest.raises(StoreError, match=r"the serial numbers of this node are used up"):
        identity.take_block()
    identity.close()


def test_a_table_goes_on_with_the_next_block() -> None:
    table = make_table(SmallBlocks())
    assert [table.new_id().serial for _ in range(7)] == [11, 12, 13, 21, 22, 23, 31]


def test_a_table_passes_over_what_was_reserved_also_at_the_end_of_a_block() -> None:
    table = make_table(SmallBlocks())
    for serial in (12, 13, 21):
        table.reserve(vista.Id.make(table.node, serial))
    assert [table.new_id().serial for _ in range(4)] == [11, 22, 23, 31]
