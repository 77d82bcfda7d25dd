"""The parts around a replica: clock, charter, keys, folders, letters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from pathlib import Path
from random import Random
from time import monotonic

import pytest

import vista
from apps.solidstate.disk import Disk
from apps.solidstate.errors import PinnedKeyError, PoolError
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.correspondent import TURN_SECONDS
from apps.solidstate.objects.delivering import send_out
from apps.solidstate.objects.identity import SECRET_FILE, Identity, pin, pinned
from apps.solidstate.objects.machines import answers_of
from apps.solidstate.objects.mail import LETTER_BYTES_MAX, Mail
from apps.solidstate.objects.places import (
    QUICK_WRITES,
    SLOW_SECONDS,
    SMALL_BYTES,
    Claim,
    FolderDisk,
    Place,
    Write,
    folder_of,
)
from apps.solidstate.objects.steady import CATCH_UP, SteadyClock
from apps.solidstate.pbft.canonical import digest_of, pack
from apps.solidstate.pbft.effects import Append, Compact, Store
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.messages import Decided, FetchStanding
from tests.solidstate.objects.pool import PoolBell
from vista.testing import World

# --- the clock -----------------------------------------------------------------------------


def test_a_file_that_could_not_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    (tmp_path / "group-1" / "started").mkdir(parents=True)
    with pytest.raises(OSError, match=r"started"):
        place.write("group-1/started", b"1")
    assert [path.name for path in (tmp_path / "group-1").iterdir()] == ["started"]


def test_the_clock_begins_with_the_wall_clock_and_goes_at_its_pace() -> None:
    clock = SteadyClock()
    assert [clock.read(5.0 + passed, 1_000.0 + passed) for passed in (0.0, 1.5, 2.0)] == [
        1_000.0,
        1_001.5,
        1_002.0,
    ]


@pytest.mark.parametrize("leap", [-7_200.0, 7_200.0])
def test_the_clock_does_not_leap_with_the_wall_clock(leap: float) -> None:
    clock = SteadyClock()
    clock.read(0.0, 1_000.0)
    after = clock.read(10.0, 1_010.0 + leap)
    assert abs(after - 1_010.0) <= 10.0 * CATCH_UP + 1e-9
    assert clock.read(10.0, 1_010.0 + leap) == after


def test_the_clock_comes_to_the_wall_clock_in_the_end() -> None:
    clock = SteadyClock()
    clock.read(0.0, 1_000.0)
    for second in range(1, 101):
        now = clock.read(float(second), 1_000.0 + second + 4.0)
    assert now == pytest.approx(1_104.0)


# --- the charter ---------------------------------------------------------------------------


def key(number: int) -> bytes:
    return bytes([number]) * 32


def charter(**changes: object) -> Charter:
    made = Charter(
        "carts", "0" * 32, "byzantine", 1, tuple(key(number) for number in range(4)),
        {"client-a": key(10), "client-b": key(11)}, "client-a",
    )  # fmt: skip
    return Charter(**{**made.__dict__, **changes})  # type: ignore[arg-type]


def test_a_charter_is_read_as_it_was_written() -> None:
    assert read_charter(charter().text()) == charter()
    assert charter().digest != charter(nonce="1" * 32).digest


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", "5", '{"format": 2}', charter().text()[:-5], '{"format": 1}'],
    ids=["empty", "list", "object", "null", "number", "format", "cut", "bare"],
)
def test_what_is_no_charter_is_refused(text: str) -> None:
    with pytest.raises(vista.BadValueError):
        read_charter(text)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"replicas": tuple(map(key, range(5)))}, "is not of its mode"),
        ({"replicas": (key(0), key(1), key(2), key(2))}, "two members have one key"),
        ({"replicas": (key(0), key(1), key(2), b"short")}, "keys of 32 bytes"),
        ({"clients": {"client-a": key(0)}}, "two members have one key"),
        ({"founder": "nobody"}, "founder is none of its clients"),
        ({"faults": 4}, "faults_to_tolerate is 1 to 3"),
        ({"mode": "magic"}, "a mode is byzantine or crash"),
        ({"name": ""}, "a name has 1 to 200 characters"),
    ],
    ids=["many", "twice", "short", "shared", "founder", "faults", "mode", "name"],
)
def test_charters_that_are_no_groups_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(vista.BadValueError, match=words):
        read_charter(charter(**changes).text())


def test_a_charter_with_too_few_replicas_says_how_many_it_takes() -> None:
    few = charter(replicas=tuple(map(key, range(3))))
    with pytest.raises(PoolError, match=r"^4 servers tolerate 1 fault; 3 are running"):
        read_charter(few.text())


# --- folders and keys ----------------------------------------------------------------------


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "member"))
    assert place.read("group-x/charter.json") is None
    place.write("group-x/charter.json", b"one")
    place.write("group-x/charter.json", b"two")
    assert place.read("group-x/charter.json") == b"two"
    assert place.folders() == ["group-x"]
    assert [path.name for path in (tmp_path / "member" / "group-x").iterdir()] == ["charter.json"]


def test_a_folder_is_used_by_one_process(tmp_path: Path) -> None:
    first = Claim(str(tmp_path))
    with pytest.raises(vista.BadValueError, match=r"is in use by another process"):
        Claim(str(tmp_path))
    first.release()
    Claim(str(tmp_path)).release()


def test_the_secret_is_made_once_and_is_for_nobody_else(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    first, again = Identity(place), Identity(Place(str(tmp_path)))
    assert first.client_name == again.client_name
    assert first.keys("carts") == again.keys("carts")
    assert len({*first.keys("carts"), *first.keys("other")}) == 4
    assert (tmp_path / SECRET_FILE).stat().st_mode & 0o077 == 0


def test_a_secret_that_was_cut_is_not_used(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"short")
    with pytest.raises(vista.BadValueError, match=r"bring it back from a backup"):
        Identity(Place(str(tmp_path)))


def test_another_key_of_a_replica_is_refused_and_told(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    pin(place, charter())
    pin(place, charter())
    other = charter(replicas=(key(0), key(9), key(2), key(3)))
    words = r"key 0909090909090909 for replica 1, and 0101010101010101 is pinned in group-"
    with pytest.raises(PinnedKeyError, match=words):
        pin(place, other)
    assert pinned(place, "carts") == charter()
    assert pinned(place, "others") is None


def test_a_folder_disk_keeps_what_was_committed(tmp_path: Path) -> None:
    async def scenario() -> None:
        disk = Place(str(tmp_path)).disk(folder_of("carts"))
        assert await disk.recover() is None
        await _safe(disk.commit([Append(b"one"), Append(b"two")]))
        disk.close()
        again = Place(str(tmp_path)).disk(folder_of("carts"))
        found = await again.recover()
        assert found is not None
        assert (found.records, found.damaged) == ((b"one", b"two"), False)
        blobs = {b"d" * 32: b"blob"}
        await _safe(again.commit([Store(blobs), Compact((b"three",), frozenset(blobs))]))
        again.close()

    asyncio.run(scenario())


async def _safe(waiting: Awaitable[None] | None) -> bool:
    """Wait until a write is safe; whether it was at once."""
    if waiting is None:
        return True
    await waiting
    return False


def _passed() -> float:
    """What a node's loop says of a while in which one thread works."""
    loop = asyncio.get_running_loop()
    began, stop = loop.time(), monotonic() + 2 * TURN_SECONDS
    while monotonic() < stop:
        pass
    return loop.time() - began


def test_the_time_by_which_a_turn_ends_passes_while_it_works() -> None:
    with vista.Node() as node:
        assert node.call(_passed) >= TURN_SECONDS


class Stopwatch:
    """A clock that a write takes ``seconds`` by."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.now = 0.0

    def read(self) -> float:
        self.now += self.seconds
        return self.now


def _writes(folder: Path, *batches: tuple[float, list[Write]]) -> list[bool]:
    """Write after `QUICK_WRITES` quick writes, each in so many seconds; which were safe at once."""
    watch, found = Stopwatch(), []

    async def scenario() -> None:
        disk = FolderDisk(folder, watch.read)
        await disk.recover()
        for _ in range(QUICK_WRITES):
            assert not await _safe(disk.commit([Append(b"before")]))
        for seconds, effects in batches:
            watch.seconds = seconds
            found.append(await _safe(disk.commit(effects)))
        disk.close()

    asyncio.run(scenario())
    return found


def test_a_disk_that_was_quick_for_a_while_has_small_writes_done_at_once(tmp_path: Path) -> None:
    record: list[Write] = [Append(b"one")]
    assert _writes(tmp_path, (0.0, record), (SLOW_SECONDS, record), (0.0, record)) == [True] * 3
    found = Disk(tmp_path).recover()
    assert found is not None and found.records == (b"before",) * QUICK_WRITES + (b"one",) * 3


def test_after_a_slow_write_a_thread_does_those_that_follow(tmp_path: Path) -> None:
    record: list[Write] = [Append(b"one")]
    later = [(0.0, record)] * (2 * QUICK_WRITES + 1)
    told = _writes(tmp_path, (2 * SLOW_SECONDS, record), *later)
    assert told == [True, *[False] * 2 * QUICK_WRITES, True]


def test_a_disk_that_is_slow_again_and_again_holds_up_its_node_ever_less(tmp_path: Path) -> None:
    record: list[Write] = [Append(b"one")]
    slow, rounds = (2 * SLOW_SECONDS, record), (2, 4, 8)
    batches = [slow]
    for times in rounds:
        batches += [(0.0, record)] * times * QUICK_WRITES + [slow]
    told = _writes(tmp_path, *batches)
    assert told == [True, *(one for times in rounds
                            for one in [*[False] * times * QUICK_WRITES, True])]  # fmt: skip


def test_a_disk_that_was_slow_once_is_trusted_again_in_the_end(tmp_path: Path) -> None:
    record: list[Write] = [Append(b"one")]
    slow, quick = (2 * SLOW_SECONDS, record), (0.0, record)
    # As many in the thread as it takes after that, and as many that were waited for.
    batches = [slow] + [quick] * 4 * QUICK_WRITES + [slow] + [quick] * (2 * QUICK_WRITES + 1)
    assert _writes(tmp_path, *batches)[-2:] == [False, True]


def test_a_node_does_not_wait_for_a_hard_disk(tmp_path: Path) -> None:
    record: list[Write] = [Append(b"one")]
    told = _writes(tmp_path, *[(0.012, record)] * 20 * QUICK_WRITES)
    assert sum(told) < 3 * QUICK_WRITES


@pytest.mark.parametrize(
    "effects",
    [[Append(bytes(SMALL_BYTES + 1))], [Append(b"one"), Store({digest_of(b"blob"): b"blob"})],
     [Compact((b"three",), frozenset())]],
    ids=["many bytes", "blobs", "another log"],
)  # fmt: skip
def test_large_writes_are_done_by_a_thread(tmp_path: Path, effects: list[Write]) -> None:
    assert _writes(tmp_path, (0.0, effects)) == [False]


# --- members -------------------------------------------------------------------------------


@pytest.fixture
def node() -> Iterator[None]:
    with World(1) as world, world.node():
        yield


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("secret", r"^file secret has 5 bytes and not 32: bring it back from a backup\."),
        ("node", r" is that of node 'wrong', and this is "),
        ("group-1/charter.json", r"^file group-1/charter\.json: no charter .* Bring it back from"),
    ],
    ids=["secret", "node", "charter"],
)
def test_a_member_that_cannot_begin_lets_go_of_its_folder(
    tmp_path: Path, file: str, words: str
) -> None:
    path = tmp_path / vista.here().get_name() / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"wrong")
    with pytest.raises(vista.BadValueError, match=words):
        vista.create("ReplicaPoolMember", "carts", str(tmp_path))
    path.unlink()
    member = vista.create("ReplicaPoolMember", "carts", str(tmp_path))
    assert member.get_status()["proxies"] == {}
    vista.delete(member)


@pytest.mark.usefixtures("node")
def test_a_machine_that_takes_no_question_keeps_no_other_from_being_asked() -> None:
    bell = vista.create(PoolBell)
    asked = [("first", "Nobody"), ("second", bell), ("third", "Nobody")]
    assert answers_of(asked, "list_heard") == [("second", [])]


# --- messages of variables -----------------------------------------------------------------


@pytest.mark.usefixtures("node")
def test_messages_that_nobody_takes_hold_up_no_others() -> None:
    bell, gone = vista.create(PoolBell), vista.create(PoolBell)
    vista.delete(gone)
    rows = [
        [1, bell, "_hear", ()], [2, gone, "hear", ("tea",)], [3, "Nobody", "hear", ("tea",)],
        [4, 5, "hear", ("tea",)], [5, bell, "hear", ("tea",)],
    ]  # fmt: skip
    # Names that are none and objects that are gone are so for good; a service may come yet.
    assert send_out(rows, "carts") == ([4, 5], [1, 2])
    assert bell.list_heard() == [("tea", "carts/5")]


# --- letters -------------------------------------------------------------------------------


class Two:
    """The mail of a replica and of a client of one group."""

    def __init__(self, tmp_path: Path) -> None:
        people = [Identity(Place(str(tmp_path / f"{number}"))) for number in range(4)]
        keys = [one.keys("carts") for one in people]
        self.charter = charter(
            replicas=tuple(replica for replica, _ in keys),
            clients={one.client_name: key[1] for one, key in zip(people, keys, strict=True)},
            founder=people[0].client_name,
        )
        self.name = people[3].client_name
        self.id = vista.id_of(vista.here())
        ring = people[0].keyring(self.charter, 0)
        self.replica = Mail(self.charter, 0, ring, self.id)
        self.client = Mail(
            self.charter, self.name, people[3].keyring(self.charter, self.name), self.id
        )

    def letter(self, *messages: bytes) -> bytes:
        """What the client posts to the replica."""
        [found] = self.client.seal(0, messages)
        return found


@pytest.mark.usefixtures("node")
def test_a_letter_is_opened_by_whom_it_was_sealed_for_and_no_other_sender(tmp_path: Path) -> None:
    two = Two(tmp_path)
    message = FetchStanding(b"n" * 32)
    letter = two.letter(encode(message))
    data = two.replica.unseal(two.name, letter)
    assert data is not None
    assert two.replica.read(two.name, data) == [message]
    assert two.replica.unseal(1, letter) is None
    assert two.replica.unseal(True, letter) is None
    assert two.client.unseal(0, letter) is None
    assert two.replica.refused == 2


@pytest.mark.usefixtures("node")
def test_letters_cut_or_changed_anywhere_are_nothing(tmp_path: Path) -> None:
    two = Two(tmp_path)
    letter = two.letter(encode(Decided(5, b"d" * 32)))
    dice = Random(1)
    for _ in range(200):
        place = dice.randrange(len(letter))
        changed = bytearray(letter)
        changed[place] ^= 1 << dice.randrange(8)
        assert two.replica.unseal(two.name, bytes(changed)) is None
        assert two.replica.unseal(two.name, letter[:place]) is None


@pytest.mark.usefixtures("node")
def test_a_sealed_letter_that_holds_no_messages_is_nothing(tmp_path: Path) -> None:
    two = Two(tmp_path)
    for message in (b"", b"\xc1", b"x" * 50, encode(Decided(5, b"d" * 32))[:-3]):
        data = two.replica.unseal(two.name, two.letter(message))
        assert data is not None
        assert two.replica.read(two.name, data) == []


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize(
    "id", [None, 10**10, -1, "x" * 16, [1] * 16, b"", b"x" * 15, b"x" * 17], ids=repr
)
def test_a_letter_that_says_no_place_is_nothing(tmp_path: Path, id: object) -> None:
    two = Two(tmp_path)
    assert two.replica.read(two.name, pack([id, encode(FetchStanding(b"n" * 32))])) == []
    assert two.replica.refused == 1
    assert not two.replica._addresses


@pytest.mark.usefixtures("node")
def test_what_is_too_much_for_one_letter_makes_several(tmp_path: Path) -> None:
    two = Two(tmp_path)
    part = bytes(LETTER_BYTES_MAX // 2)
    sizes = [len(letter) for letter in two.client.seal(0, [part, part, b"x"])]
    assert [size > LETTER_BYTES_MAX for size in sizes] == [True, False]


def test_two_members_share_a_key_that_others_and_other_groups_have_not(tmp_path: Path) -> None:
    people = [Identity(Place(str(tmp_path / f"{number}"))) for number in range(4)]
    replicas = tuple(one.keys("carts")[0] for one in people)
    found = []
    for nonce in ("0" * 32, "1" * 32):
        group = charter(replicas=replicas, nonce=nonce)
        rings = [one.keyring(group, number) for number, one in enumerate(people)]
        assert rings[0].shared_key(1) == rings[1].shared_key(0)
        found += [rings[0].shared_key(1), rings[0].shared_key(2), rings[1].shared_key(2)]
        with pytest.raises(vista.BadValueError, match=r"^9 has no key in this group$"):
            rings[0].shared_key(9)
    assert len(set(found)) == 6
