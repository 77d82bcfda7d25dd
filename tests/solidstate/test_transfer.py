"""Fetching state: from all at once, within bounds, and whatever the sources do (TOCS, 5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import MalformedMessage, pack
from apps.solidstate.pbft.effects import Compact, Executed, Send, Store
from apps.solidstate.pbft.events import Tick
from apps.solidstate.pbft.messages import (
    Batch,
    Blobs,
    Checkpoint,
    Commit,
    Decided,
    FetchBatches,
    FetchBlobs,
    Message,
    Stable,
)
from apps.solidstate.pbft.store import KeyValueStore
from apps.solidstate.pbft.tree import Part, Tree, tree_of
from tests.solidstate.lab import Lab, sent

PAGES = [b"page %d" % number for number in range(100)]


def feed(part: Part, blobs: dict[bytes, bytes], at_once: int) -> int:
    """Give a part what it wants from somewhere, and return how many blobs that took."""
    count = 0
    for _ in range(10_000):
        wanted = part.take(at_once)
        if not wanted:
            return count
        for digest in wanted:
            assert part.add(blobs[digest]) == digest
            count += 1
    raise AssertionError("it never ends")


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 1024, 1025])
@pytest.mark.parametrize("at_once", [1, 7, 5000])
def test_a_part_becomes_the_whole_tree(count: int, at_once: int) -> None:
    tree = Tree([b"%d" % number for number in range(count)])
    part = Part(tree.root, [])
    feed(part, dict(tree.blobs), at_once)
    assert part.whole
    assert tree_of(tree.root, part.blobs).pages == tree.pages


@given(st.lists(st.binary(max_size=3), max_size=60), st.lists(st.binary(max_size=3), max_size=60))
def test_what_is_known_is_not_wanted(old: list[bytes], new: list[bytes]) -> None:
    known, tree = Tree(old), Tree(new)
    part = Part(tree.root, [known.blobs])
    lacking = tree.blobs.keys() - known.blobs.keys()
    assert feed(part, dict(tree.blobs), 3) <= len(lacking)
    assert part.whole and part.blobs == tree.blobs


def test_a_tree_put_together_from_blobs_is_the_tree() -> None:
    tree = Tree(PAGES)
    again = tree_of(tree.root, tree.blobs)
    assert (again.root, again.blobs) == (tree.root, tree.blobs)


def test_nothing_that_is_not_wanted_is_taken() -> None:
    tree = Tree(PAGES)
    part = Part(tree.root, [])
    assert part.add(PAGES[0]) is None and part.add(b"rubbish") is None
    assert part.blobs == {} and part.take(5) == (tree.root,)


def test_nobody_is_asked_twice_for_the_same_until_it_is_put_back() -> None:
    tree = Tree(PAGES)
    part = Part(tree.root, [])
    assert part.take(5) == (tree.root,) and part.take(5) == ()
    part.put_back([tree.root, b"never wanted"])
    assert part.take(5) == (tree.root,)


def test_what_came_by_another_way_is_not_asked_for_again() -> None:
    tree = Tree(PAGES)
    part = Part(tree.root, [])
    part.take(1)
    part.add(tree.blobs[tree.root])
    part.put_back([tree.root])
    assert tree.root not in part.take(100)


def test_what_came_before_it_was_asked_for_is_not_asked_for() -> None:
    tree = Tree(PAGES)
    part = Part(tree.root, [])
    part.add(tree.blobs[tree.root])
    (top,) = part.take(5)
    part.put_back([top])
    part.add(tree.blobs[top])
    assert top not in part.take(100)


def test_a_page_with_the_bytes_of_a_node_is_both() -> None:
    node = next(blob for blob in Tree([b"a", b"b"]).blobs.values() if len(blob) == 64)
    # Of 34 pages the last two have a node to themselves, and the first one has its bytes.
    tree = Tree([node, *PAGES[:31], b"a", b"b"])
    for at_once in (1, 4, 100):
        part = Part(tree.root, [])
        feed(part, dict(tree.blobs), at_once)
        assert tree_of(tree.root, part.blobs).pages == tree.pages


def test_a_known_node_that_is_none_is_refused() -> None:
    node = b"x" * 33
    from_root = Tree([node, b"other"])
    root = pack(["root", 40, from_root._leaves[0]])
    part = Part(Tree([root])._leaves[0], [])
    part.add(root)
    with pytest.raises(MalformedMessage, match=r"not a node of a tree"):
        part.add(node)


class Away:
    """A group whose replica 3 missed so much that it has to fetch the state.

    ``sent`` has what was sent to it and by it since then.
    """

    def __init__(self, **settings: int) -> None:
        self.lab = lab = Lab(**settings)
        for number in range(4):
            lab.stores[number] = KeyValueStore(64)
            lab.replicas[number].state._service = lab.stores[number]
        self.cut_off()
        self.fill(0, 21)
        self.sent: list[tuple[Principal, Principal, Message]] = []
        lab.drops = self.note

    def cut_off(self) -> None:
        """Let nothing come to replica 3, and nothing from it."""
        self.lab.drops = lambda sender, to, message: 3 in (sender, to)

    def fill(self, first: int, last: int) -> None:
        """Put values of 30 bytes."""
        for number in range(first, last):
            self.lab.ask("ann", "put", f"key{number}", b"%03d" % number * 10)

    def note(self, sender: Principal, to: Principal, message: Message) -> bool:
        """Lose nothing, and remember what was said."""
        if 3 in (sender, to):
            self.sent.append((sender, to, message))
        return False

    def begin(self) -> None:
        """Let replica 3 hear of the proven checkpoint and ask for it; nobody answers."""
        self.lab.tell(3, 0, self.lab.replicas[0].checkpoints.proven)
        self.lab.now += 0.6

    def tick(self) -> dict[int, FetchBlobs]:
        """Wake replica 3; return what it asks whom, none of which arrives."""
        effects = self.lab.handle(3, Tick())
        self.lab.queue.clear()
        sends = [one for one in effects if isinstance(one, Send)]
        return {one.to: one.message for one in sends if isinstance(one.message, FetchBlobs)}  # type: ignore[misc]

    def answer(self, source: int, fetch: FetchBlobs) -> dict[int, FetchBlobs]:
        """Have a source answer; return what is asked next."""
        found = self.lab.tell(source, 3, fetch)
        (blobs,) = sent(found, Blobs)
        effects = self.lab.tell(3, source, blobs)
        sends = [one for one in effects if isinstance(one, Send)]
        return {one.to: one.message for one in sends if isinstance(one.message, FetchBlobs)}  # type: ignore[misc]

    def fetched(self) -> list[bytes]:
        """Return the blobs that were sent to replica 3."""
        to_it = [message for _, to, message in self.sent if to == 3]
        return [blob for one in to_it if isinstance(one, Blobs) for blob in one.blobs]


def test_all_others_are_asked_at_once_each_for_something_else() -> None:
    away = Away(fetch_items_max=8)
    away.begin()
    asked = away.tick()
    for _ in range(4):
        (source, fetch) = next(iter(asked.items()))
        asked = away.answer(source, fetch)
        if len(asked) > 1:
            break
    digests = [digest for fetch in asked.values() for digest in fetch.digests]
    assert sorted(asked) == [0, 1, 2]
    assert len(digests) == len(set(digests)) > 8


@pytest.mark.parametrize("mute", [(0,), (1,), (2,), (0, 1), (1, 2)])
def test_sources_that_say_nothing_are_passed_over(mute: tuple[int, ...]) -> None:
    away = Away(fetch_items_max=8)
    away.lab.drops = lambda sender, to, message: isinstance(message, Blobs) and sender in mute
    away.lab.pass_time(4.0)
    assert away.lab.executed() == [21] * 4


def test_a_source_that_was_late_is_not_asked_again_while_others_answer() -> None:
    away = Away(fetch_items_max=1)
    asked_late: list[Message] = []

    def drops(sender: Principal, to: Principal, message: Message) -> bool:
        if sender == 3 and to == 1 and isinstance(message, FetchBlobs):
            asked_late.append(message)
        return isinstance(message, Blobs) and sender == 1

    away.lab.drops = drops
    away.lab.pass_time(4.0)
    assert away.lab.executed() == [21] * 4
    assert len(asked_late) == 1


def test_rubbish_nobody_asked_for_does_not_put_off_the_deadline() -> None:
    away = Away()
    away.begin()
    (asked,) = away.tick()
    transfer = away.lab.replicas[3].transfer
    deadline = transfer.deadline
    away.lab.now += 0.3
    assert transfer.target is not None
    for other in {0, 1, 2} - {asked}:
        away.lab.tell(3, other, Blobs(transfer.target.root, (b"rubbish",)))
        away.lab.tell(3, other, Blobs(b"r" * 32, ()))
    assert transfer.deadline <= deadline


def test_who_keeps_the_state_no_longer_is_not_asked_over_and_over() -> None:
    away = Away()
    asked: list[Message] = []

    def drops(sender: Principal, to: Principal, message: Message) -> bool:
        if sender == 3 and isinstance(message, FetchBlobs):
            asked.append(message)
            away.lab.queue.append((to, 3, Blobs(message.root, ())))
            return True
        return False

    away.lab.drops = drops
    away.lab.pass_time(2.0)
    # One digest, the root, at most once for each source and each wait of half a second.
    assert len(asked) <= 3 * 5


def test_who_gets_by_itself_where_it_fetched_goes_on_to_what_was_proven_meanwhile() -> None:
    # 1. Replica 3 fetches the state at 4; meanwhile 8 is proven, and the others cut their logs.
    # 2. It hears what was decided up to 6, so what it fetches is of no use any more.
    # 3. Nobody can tell it about 7 and 8, and nobody proves 8 to it once more.
    lab = Lab()
    late = Commit | Decided | Checkpoint | Stable
    lab.drops = lambda sender, to, message: to == 3 and isinstance(message, late)
    proven = []
    for number in range(8):
        lab.ask("ann", "put", "a", b"%d" % number)
        proven.append(lab.replicas[0].checkpoints.proven)
    batches = {one.sequence: one.batch for one in lab.effects[0] if isinstance(one, Executed)}
    lab.tell(3, 0, proven[3])
    lab.now += 0.6
    effects = lab.handle(3, Tick())
    lab.queue.clear()
    sends = [one for one in effects if isinstance(one, Send)]
    ((source, fetch),) = [
        (one.to, one.message) for one in sends if isinstance(one.message, FetchBlobs)
    ]
    assert isinstance(source, int)
    lab.tell(3, 0, proven[7])
    for sequence in range(1, 7):
        for other in (0, 1):
            lab.tell(3, other, Decided(sequence, batches[sequence].digest))
    (blobs,) = sent(lab.tell(source, 3, fetch), Blobs)
    lab.tell(3, source, blobs)
    assert lab.executed() == [8, 8, 8, 6]
    lab.drops = lambda *_: False
    lab.pass_time(2.0)
    assert lab.executed() == [8] * 4


def test_a_restart_in_the_middle_fetches_nothing_twice() -> None:
    away = Away(fetch_items_max=4)
    lab = away.lab

    def drops(sender: Principal, to: Principal, message: Message) -> bool:
        return away.note(sender, to, message) or (
            isinstance(message, FetchBlobs) and len(away.fetched()) > 10
        )

    lab.drops = drops
    lab.pass_time(1.0)
    before = away.fetched()
    assert 10 < len(before) < 24 and lab.executed()[3] == 0
    lab.restart(3)
    lab.stores[3] = lab.replicas[3].state._service = KeyValueStore(64)  # type: ignore[assignment]
    lab.drops = away.note
    lab.pass_time(3.0)
    after = away.fetched()
    assert lab.executed() == [21] * 4
    assert len(after) == len(set(after)) > len(before)


def test_what_was_fetched_counts_for_the_next_checkpoint() -> None:
    away = Away(fetch_items_max=4)
    lab = away.lab
    lab.drops = lambda sender, to, message: (
        away.note(sender, to, message)
        or (isinstance(message, FetchBlobs) and len(away.fetched()) > 10)
    )
    lab.pass_time(1.0)
    assert 10 < len(away.fetched()) < 24
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    for _ in range(12):
        lab.ask("ann", "put", "key1", b"other")
    lab.drops = away.note
    lab.pass_time(3.0)
    assert lab.executed() == [33] * 4
    assert len(away.fetched()) == len(set(away.fetched()))


def test_however_often_the_target_moves_two_states_are_kept() -> None:
    away = Away(fetch_items_max=64)
    lab = away.lab
    away.begin()
    for turn in range(6):
        for source, fetch in away.tick().items():
            asked = away.answer(source, fetch)
            for _ in range(2):
                asked = away.answer(*next(iter(asked.items()))) if asked else {}
        away.cut_off()
        for number in range(12):
            lab.ask("ann", "put", f"key{number}", b"%d" % turn)
        lab.tell(3, 0, lab.replicas[0].checkpoints.proven)
        lab.now += 0.6
    away.tick()
    transfer = lab.replicas[3].transfer
    assert transfer.target is not None and transfer._part is not None
    state = lab.replicas[0].checkpoints.trees[max(lab.replicas[0].checkpoints.trees)].blobs
    assert 0 < len(transfer._kept) <= len(state)
    assert len(transfer._part.blobs) <= len(state)


def test_rubbish_does_not_put_off_the_deadline_when_nobody_is_left_to_ask() -> None:
    away = Away()
    away.begin()
    transfer = away.lab.replicas[3].transfer
    asked = away.tick()
    for _ in range(3):
        (source, fetch) = next(iter(asked.items()))
        effects = away.lab.tell(3, source, Blobs(fetch.root, ()))
        sends = [one for one in effects if isinstance(one, Send)]
        asked = {one.to: one.message for one in sends if isinstance(one.message, FetchBlobs)}  # type: ignore[misc]
    deadline = transfer.deadline
    assert asked == {}
    away.lab.now += 0.3
    away.lab.tell(3, 1, Blobs(b"r" * 32, (b"rubbish",)))
    assert transfer.deadline == deadline


def test_a_replica_that_asks_without_end_is_given_no_more_than_its_allowance() -> None:
    away = Away(served_bytes_per_second=1000, fetch_items_max=64)
    lab = away.lab
    tree = lab.replicas[1].checkpoints.trees[20]
    fetch = FetchBlobs(tree.root, tuple(tree.blobs)[:20])
    answers = [sent(lab.tell(1, 3, fetch), Blobs) for _ in range(100)]
    size = sum(len(blob) for one in answers if one for blob in one[0].blobs)
    most = max(sum(len(blob) for blob in one[0].blobs) for one in answers if one)
    assert 1000 <= size < 1000 + most


def test_an_allowance_comes_back_with_time_and_each_has_its_own() -> None:
    away = Away(served_bytes_per_second=1000, fetch_items_max=64)
    lab = away.lab
    tree = lab.replicas[1].checkpoints.trees[20]
    fetch = FetchBlobs(tree.root, tuple(tree.blobs)[:20])
    for _ in range(10):
        lab.tell(1, 3, fetch)
    assert sent(lab.tell(1, 3, fetch), Blobs) == []
    assert len(sent(lab.tell(1, 2, fetch), Blobs)) == 1
    lab.now += 3.0
    assert len(sent(lab.tell(1, 3, fetch), Blobs)) == 1


def test_batches_are_part_of_the_allowance() -> None:
    lab = Lab(served_bytes_per_second=1000)
    batch = Batch(1, b"salt", (lab.request(value=b"x" * 390),))
    lab.tell(1, 0, lab.proposal(batch=batch))
    fetch = FetchBatches((batch.digest,))
    answers = [len(sent(lab.tell(1, 3, fetch), Batch)) for _ in range(10)]
    assert answers == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]


def test_old_trees_are_not_kept_in_memory_nor_on_disk() -> None:
    away = Away()
    away.cut_off()
    away.fill(21, 60)
    lab = away.lab
    trees = lab.replicas[0].checkpoints.trees
    assert len(trees) <= 2
    compact = [one for one in lab.effects[0] if isinstance(one, Compact)][-1]
    assert compact.blobs == {digest for tree in trees.values() for digest in tree.blobs}
    assert lab.blobs[0].keys() == compact.blobs


def test_blobs_are_stored_as_they_come_and_not_all_at_once() -> None:
    away = Away(fetch_items_max=4)
    away.lab.pass_time(2.0)
    stores = [len(one.blobs) for one in away.lab.effects[3] if isinstance(one, Store)]
    assert len(stores) > 8 and max(stores[:8]) <= 4


def test_one_that_left_the_group_fetches_nothing_when_it_starts_again() -> None:
    lab = Lab()
    lab.join(4)
    lab.reconfigure([4], [1])
    lab.pass_time(2.0)
    lab.reconfigure()
    lab.pass_time(2.0)
    for _ in range(20):
        lab.ask("ann", "put", "a", b"1")
        lab.pass_time(0.3)
    lab.effects[1].clear()
    lab.restart(1)
    lab.run()
    lab.pass_time(5.0)
    # The group is ahead of the state that it left with.
    assert lab.replicas[1].epochs.retired and lab.executed() == [22, 1, 22, 22, 22]
    assert sent(lab.effects[1], FetchBlobs) == [] and lab.replicas[1].transfer.target is None
