"""Backups: what is in them is proven, and a group on fresh servers goes on from one."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.solidstate.errors import BackupError, PinnedKeyError, PoolError, SolidStateError
from apps.solidstate.objects.backup import MAGIC, Backup, read_backup
from apps.solidstate.objects.mail import pool_service, service_name
from apps.solidstate.objects.places import folder_of
from apps.solidstate.objects.restoring import ORIGIN_FILE
from apps.solidstate.operating import carry_out, fetch, find_administrator
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.tree import Tree
from tests.solidstate.objects.pool import POOL, TIN, Pool, make_world
from vista.testing import World


def command(servers: Pool, what: str, file: Path, **more: Any) -> dict[str, Any]:
    """Carry out a command of ``vista solidstate`` on the front end."""
    options = Namespace(
        **{"what": what, "group": "", "pool": "", "digest": "", "file": str(file), **more}
    )
    told: dict[str, Any] = servers.front.call(lambda: carry_out(options, vista.here()))
    return told


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a group with two carts, of which everything is lost since."""
    file = tmp_path_factory.mktemp("backup") / "carts.backup"
    with make_world(21) as world:
        pool = Pool(world)
        cart = pool.found()
        pool.found(POOL, 1, "PoolCart", "other", ["ann"])
        for _ in range(3):
            pool.call(cart, "add", "tea")
        proxy = pool.proxy("front")
        pool.front.call(proxy.issue_request, "add", ["milk"], "cart", "order-1")
        told = command(pool, "backup", file)
        assert told["group"] == POOL
        assert f"digest {told['digest']}" in told["words"]
    return file


@pytest.fixture(scope="module")
def found(made: Path) -> Backup:
    return read_backup(made.read_bytes())


@pytest.fixture
def world() -> Iterator[World]:
    with make_world(22) as made:
        yield made


# --- what is in a file ---------------------------------------------------------------------


def test_a_backup_is_proven_and_comes_back_from_its_bytes(made: Path, found: Backup) -> None:
    found.verify()
    assert found.data == made.read_bytes()
    assert [member.number for member in found.membership.members] == [0, 1, 2, 3]
    assert found.describe()["digest"] == digest_of(made.read_bytes()).hex()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:-1], r"^it was cut, or changed: its digest is another one"),
        (lambda data: data[: len(MAGIC) + 9], r"^it was cut, or changed"),
        (lambda data: data[:200] + b"x" + data[201:], r"^it was cut, or changed"),
        (lambda data: b"", r"^no backup of a group of replicas$"),
        (lambda data: b"PK" + data, r"^no backup of a group of replicas$"),
        (lambda data: MAGIC + digest_of(b"\x01") + b"\x01", r"^no backup of a group of replicas: "),
        (lambda data: MAGIC + digest_of(b"\xc1") + b"\xc1", r"^no backup of a group of replicas: "),
    ],
    ids=["cut", "head", "flipped", "empty", "foreign", "number", "garbage"],
)
def test_files_that_are_none_are_refused_with_words(made: Path, change: Any, words: str) -> None:
    with pytest.raises(BackupError, match=words):
        read_backup(change(made.read_bytes()))


def test_a_state_that_its_proof_is_not_of_is_refused(found: Backup) -> None:
    other = replace(found, pages=(*found.pages[:-1], found.pages[-1] + b"x"))
    with pytest.raises(BackupError, match=r"^its state is not the one that its proof is of$"):
        read_backup(other.data).verify()


@pytest.mark.parametrize("pages", [(), (b"\xc1",), (b"\x01",), (b"\x90", b"")], ids=range(4))
def test_a_state_that_is_none_is_refused(found: Backup, pages: tuple[bytes, ...]) -> None:
    stable = replace(found.stable, root=Tree(pages).root)
    with pytest.raises(BackupError, match=r"^no backup of a group of replicas: "):
        replace(found, pages=pages, stable=stable).verify()


def test_a_proof_that_too_few_signed_is_refused(found: Backup) -> None:
    first = found.stable.proof[0]
    for proof in (found.stable.proof[:2], (*found.stable.proof[:2], first), ()):
        other = replace(found, stable=replace(found.stable, proof=proof))
        with pytest.raises(BackupError, match=r"^too few of its replicas signed its state$"):
            other.verify()


def test_a_signature_of_somebody_else_is_refused(found: Backup) -> None:
    forged = replace(found.stable.proof[0], signature=bytes(64))
    stable = replace(found.stable, proof=(forged, *found.stable.proof[1:3]))
    with pytest.raises(BackupError, match=r"^too few of its replicas signed its state$"):
        replace(found, stable=stable).verify()


def test_replicas_that_the_administrator_did_not_name_prove_nothing(found: Backup) -> None:
    with pytest.raises(BackupError, match=r"^the administrator of its group did not sign it$"):
        replace(found, signature=bytes(64)).verify()


def test_a_backup_of_another_group_or_of_before_is_not_taken(found: Backup) -> None:
    found.check(found.charter.text(), found.stable.sequence)
    with pytest.raises(BackupError, match=r"^it holds batches up to \d+, and not \d+$"):
        found.check(found.charter.text(), found.stable.sequence + 1)
    other = replace(found.charter, nonce="0" * 32)
    with pytest.raises(BackupError, match=r"^it is of another group than 'carts'$"):
        found.check(other.text(), 0)


# --- a group that goes on ------------------------------------------------------------------


def test_a_group_on_fresh_servers_goes_on_from_a_backup(world: World, made: Path) -> None:
    pool = Pool(world)
    # Left by a restore that was cut off before the group was founded.
    TIN.files["server-3"][f"{folder_of(POOL)}/{ORIGIN_FILE}"] = b"of another backup"
    digest = read_backup(made.read_bytes()).digest.hex()
    words = command(pool, "restore", made, digest=digest)["words"]
    assert words.startswith("group 'carts' goes on from batch ")
    pool.world.pass_time(3.0)
    cart = pool.front.call(vista.service, "cart")
    assert pool.call(cart, "list_items") == {"tea": 3, "milk": 1}
    # What was asked with a key before is not done again.
    proxy = pool.proxy("front")
    assert pool.front.call(proxy.issue_request, "add", ["milk"], "cart", "order-1") == 1
    assert pool.call(cart, "list_items") == {"tea": 3, "milk": 1}
    assert pool.call(pool.found(POOL, 1, "PoolCart", "other"), "add", "tea") == 1
    # All start again before the first checkpoint: they begin with the backup once more.
    for name in pool.names:
        world.crash(name)
    for name in pool.names:
        world.restart(name)
    pool.world.pass_time(5.0)
    assert pool.call(pool.found(), "add", "tea") == 4
    # And on any server it is what it was.
    pool.world.pass_time(1.0)
    server = pool.front.call(vista.service, service_name(POOL, 3))
    assert pool.front.call(server.get_variables, "cart")["items"] == {"tea": 4, "milk": 1}


def test_a_restored_group_is_backed_up_and_changed_like_any_other(
    world: World, made: Path, tmp_path: Path
) -> None:
    pool = Pool(world, servers=5)
    command(pool, "restore", made, group="carts-2", pool=POOL)
    command(pool, "replace", made, who="1", node="server-4")
    pool.world.pass_time(10.0)
    told = command(pool, "backup", tmp_path / "again")
    assert told["group"] == "carts-2"
    again = read_backup((tmp_path / "again").read_bytes())
    again.verify()
    assert [member.number for member in again.membership.members] == [0, 2, 3, 4]


def test_servers_that_have_the_group_do_not_take_a_backup(world: World, made: Path) -> None:
    pool = Pool(world)
    pool.found()
    with pytest.raises(PinnedKeyError, match=r" has a group 'carts' already"):
        command(pool, "restore", made)


def test_a_backup_of_another_digest_is_not_restored(world: World, made: Path) -> None:
    with pytest.raises(BackupError, match=r" has digest [0-9a-f]{64}, and not 7c1f: it is another"):
        command(Pool(world, servers=1), "restore", made, digest="7c1f")


def test_a_pool_that_is_too_small_does_not_take_a_backup(world: World, made: Path) -> None:
    pool = Pool(world, servers=2)
    with pytest.raises(PoolError, match=r"^4 servers tolerate 1 fault; 3 are running"):
        command(pool, "restore", made)


def test_a_crash_only_group_is_backed_up_and_restored(world: World, tmp_path: Path) -> None:
    pool = Pool(world, servers=3)
    cart = pool.found(POOL, 1, "PoolCart", "cart", mode="crash")
    pool.call(cart, "add", "tea")
    command(pool, "backup", tmp_path / "file")
    command(pool, "restore", tmp_path / "file", group="carts-2")
    proxy = pool.proxy("front", "carts-2")
    assert pool.front.call(proxy.issue_request, "list_items", [], "cart") == {"tea": 1}


# --- who may -------------------------------------------------------------------------------


def test_everything_that_was_answered_is_in_a_backup(world: World, tmp_path: Path) -> None:
    pool = Pool(world)
    cart = pool.found()
    for number in range(1, 7):
        pool.call(cart, "add", "tea")
        command(pool, "backup", tmp_path / "file")
        pages = read_backup((tmp_path / "file").read_bytes()).service_pages
        items = vista.decode_value(b"".join(pages[1:]))[-1]["items"]
        assert items == {"tea": number}


def test_a_replica_hands_its_state_to_nobody_without_the_administrators_word(world: World) -> None:
    pool = Pool(world)
    pool.found()
    server = pool.front.call(vista.service, service_name(POOL, 0))
    with pytest.raises(vista.AccessDenied, match=r"^no administrator of group 'carts' signed that"):
        pool.front.call(server.make_backup, 0, pool.front.call(server.draw_challenge), bytes(64))


def test_a_replica_without_such_a_state_is_passed_over(world: World) -> None:
    pool = Pool(world)
    pool.call(pool.found(), "add", "tea")
    world.crash("server-0")

    def ask() -> Backup:
        group, administrator = find_administrator(vista.here(), "")
        return fetch(vista.here(), group, administrator, administrator.make_checkpoint())

    assert pool.front.call(ask).stable.sequence >= 4
    with pytest.raises(SolidStateError, match=r"^no replica gives a backup: SolidState/carts/1: "):
        pool.front.call(
            lambda: fetch(vista.here(), *find_administrator(vista.here(), POOL), least=999)
        )


def test_the_pieces_of_a_backup_are_for_whom_it_was_made(world: World) -> None:
    pool = Pool(world)
    pool.call(pool.found(), "add", "tea")
    server = pool.front.call(vista.service, service_name(POOL, 0))

    def make() -> None:
        _, administrator = find_administrator(vista.here(), "")
        least = administrator.make_checkpoint()
        challenge = server.draw_challenge()
        server.make_backup(least, challenge, administrator.sign_reading(0, least, challenge))

    pool.front.call(make)
    with pytest.raises(vista.AccessDenied, match=r"^no backup was made for that: call make_backup"):
        pool.front.call(server.read_backup, 0, bytes(64))


def test_another_backup_than_was_sent_is_not_restored(world: World, made: Path) -> None:
    # Somebody else sends the pieces of one of his own, before the word comes to restore it.
    pool = Pool(world, servers=1)
    member = pool.front.call(vista.service, pool_service(POOL))
    pool.front.call(member.take_origin, POOL, 0, made.read_bytes())
    with pytest.raises(BackupError, match=r"^another backup came than the one that was sent"):
        pool.front.call(member.restore, POOL, bytes(32).hex())


def test_pieces_that_do_not_follow_each_other_are_refused(world: World) -> None:
    pool = Pool(world, servers=1)
    member = pool.front.call(vista.service, pool_service(POOL))
    pool.front.call(member.take_origin, "carts", 0, b"one")
    with pytest.raises(BackupError, match=r"^a piece at 9, behind 3 bytes: send all from 0 on$"):
        pool.front.call(member.take_origin, "carts", 9, b"two")
