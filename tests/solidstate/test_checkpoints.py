"""Checkpoints, divergence and fetching state: OSDI 1999, section 4.3; TOCS 2002, section 5.3."""

from __future__ import annotations

import pytest

from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.effects import Broadcast, Compact, Store
from apps.solidstate.pbft.messages import Blobs, Checkpoint, FetchBlobs, Message, Request
from apps.solidstate.pbft.proofs import Proofs
from apps.solidstate.pbft.service import Context
from tests.solidstate.lab import Lab, sent

NOBODY = Context("nobody", 0, 0, b"")


@pytest.fixture
def lab() -> Lab:
    return Lab()


def fill(lab: Lab, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        lab.ask("ann", "put", f"key{number}", b"%d" % number * 100)


def roots(lab: Lab) -> int:
    return len({tuple(lab.stores[number].snapshot()) for number in range(4)})


def test_4_3_a_checkpoint_is_made_each_time_k_batches_are_executed(lab: Lab) -> None:
    fill(lab, 9)
    votes = sent(lab.effects[1], Checkpoint)
    assert [vote.sequence for vote in votes] == [4, 8]


def test_4_3_a_checkpoint_is_on_disk_before_it_is_signed(lab: Lab) -> None:
    fill(lab, 4)
    effects = lab.effects[1]
    stored = next(place for place, one in enumerate(effects) if isinstance(one, Store))
    told = next(place for place, one in enumerate(effects) if sent([one], Checkpoint))
    assert stored < told and isinstance(effects[told], Broadcast)


def test_4_3_a_stable_checkpoint_cuts_the_log_and_moves_the_watermarks(lab: Lab) -> None:
    fill(lab, 5)
    log = lab.replicas[1].log
    assert (log.low, log.high) == (4, 12)
    assert [entry.sequence for entry in log.entries()] == [5]
    assert any(isinstance(effect, Compact) for effect in lab.effects[1])


def test_4_3_fewer_than_2f_plus_1_checkpoints_prove_nothing(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Checkpoint) and sender in (2, 3)
    fill(lab, 5)
    assert [lab.replicas[number].log.low for number in (0, 1)] == [0, 0]


def test_4_3_a_checkpoint_signed_by_somebody_else_does_not_count(lab: Lab) -> None:
    for number in (0, 2, 3):
        vote = lab.signed(2, Checkpoint(4, b"d" * 32, number))
        lab.tell(1, number, vote)
    assert lab.replicas[1].checkpoints.proven.sequence == 0


class CheckingOften(Proofs):
    """Proofs that note which checkpoints they check."""

    def __init__(self, lab: Lab, number: int) -> None:
        super().__init__(lab.of(number), lab.authority.keyring(number))
        self.checked: list[tuple[int, int]] = []

    def checkpoint(self, record: Checkpoint) -> bool:
        """Note it, and tell whether a member signed it."""
        self.checked.append((record.replica, record.sequence))
        return super().checkpoint(record)


def test_a_signature_is_checked_once_and_one_that_comes_too_late_to_count_not_at_all(
    lab: Lab,
) -> None:
    proofs = lab.replicas[1].proofs = CheckingOften(lab, 1)
    fill(lab, 4)
    assert len(proofs.checked) == 2 == len(set(proofs.checked))
    assert sorted(lab.replicas[1].checkpoints.latest) == [0, 2, 3]


def test_what_others_signed_is_kept_for_who_sent_it_itself_alone(lab: Lab) -> None:
    for sender, replica, epoch in ((2, 3, 0), (0, 0, 1), (2, 2, 0)):
        vote = Checkpoint(4, b"d" * 32, replica, epoch)
        lab.tell(1, sender, lab.signed(replica, vote))
    assert sorted(lab.replicas[1].checkpoints.latest) == [2]


def test_what_others_signed_in_a_former_epoch_is_forgotten(lab: Lab) -> None:
    fill(lab, 4)
    lab.join(4)
    lab.reconfigure([4], [1])
    lab.pass_time(2.0)
    assert lab.replicas[0].epoch.number == 1 and lab.replicas[0].checkpoints.latest == {}


def test_checkpoints_far_ahead_take_no_memory(lab: Lab) -> None:
    for sequence in range(4, 4000, 4):
        lab.tell(1, 2, lab.signed(2, Checkpoint(sequence, b"d" * 32, 2)))
    assert len(lab.replicas[1].checkpoints.votes) == 4


def _cut_off(lab: Lab, number: int) -> None:
    lab.drops = lambda sender, to, message: number in (sender, to)


def _join(lab: Lab) -> None:
    lab.drops = lambda *_: False


def test_a_replica_that_was_away_fetches_the_state_while_the_others_go_on(lab: Lab) -> None:
    _cut_off(lab, 3)
    fill(lab, 21)
    _join(lab)
    lab.pass_time(5.0)
    assert lab.executed() == [21] * 4 and roots(lab) == 1
    assert "transfer" in lab.reports(3)
    fill(lab, 3, 21)
    assert lab.executed() == [24] * 4


def test_what_waits_is_watched_when_what_was_watched_is_in_a_state_that_was_fetched(
    lab: Lab,
) -> None:
    _cut_off(lab, 3)
    for client, timestamp in (("ann", 1), ("bob", 2**60)):
        lab.tell(3, client, lab.request(client, timestamp))
    fill(lab, 20)
    _join(lab)
    # What it watches it tells to all when it has waited for a while.
    lab.drops = lambda sender, to, message: sender == 3 and isinstance(message, Request)
    for _ in range(100):
        if "transfer" in lab.reports(3):
            break
        lab.pass_time(0.05)
    assert lab.executed() == [20] * 4 and "impatient" not in lab.reports(3)
    lab.pass_time(4.0)
    assert "impatient" in lab.reports(3)


def test_a_replica_a_little_behind_fetches_no_state(lab: Lab) -> None:
    _cut_off(lab, 3)
    fill(lab, 3)
    _join(lab)
    lab.pass_time(5.0)
    assert lab.executed() == [3] * 4
    assert lab.reports(3) == []


def test_only_blobs_that_differ_are_fetched(lab: Lab) -> None:
    fill(lab, 8)
    _cut_off(lab, 3)
    for _ in range(12):
        lab.ask("ann", "put", "key1", b"other")
    _join(lab)
    fetched: list[bytes] = []
    lab.drops = lambda sender, to, message: _note(fetched, to, message)
    lab.pass_time(5.0)
    pages = lab.stores[3].snapshot()
    assert lab.executed() == [20] * 4
    assert 0 < sum(page in fetched for page in pages) < len(pages)


def _note(fetched: list[bytes], to: object, message: Message) -> bool:
    if isinstance(message, Blobs) and to == 3:
        fetched.extend(message.blobs)
    return False


def test_sources_that_lie_cost_time_only(lab: Lab) -> None:
    _cut_off(lab, 3)
    fill(lab, 20)
    _join(lab)
    lab.drops = lambda sender, to, message: isinstance(message, Blobs) and sender != 1
    lab.pass_time(10.0)
    assert lab.executed() == [20] * 4 and roots(lab) == 1


def test_false_blobs_are_not_taken(lab: Lab) -> None:
    _cut_off(lab, 3)
    fill(lab, 20)
    proven = lab.replicas[0].checkpoints.proven
    lab.tell(3, 0, proven)
    lab.now += 1.0
    lab.pass_time(0.5)
    lab.tell(3, 0, Blobs(proven.root, (b"false", b"blobs")))
    part = lab.replicas[3].transfer._part
    assert part is not None and set(part.blobs.values()).isdisjoint({b"false", b"blobs"})
    assert lab.replicas[3].state.executed == 0


def test_who_keeps_a_tree_no_longer_says_so(lab: Lab) -> None:
    effects = lab.tell(1, 3, FetchBlobs(b"r" * 32, (b"r" * 32,)))
    assert sent(effects, Blobs) == [Blobs(b"r" * 32, ())]


def test_a_wrong_state_is_found_reported_and_repaired(lab: Lab) -> None:
    fill(lab, 2)
    lab.stores[2].execute(pack(["put", "key1", b"wrong"]), NOBODY)
    fill(lab, 2, 2)
    assert "diverged" in lab.reports(2)
    lab.pass_time(2.0)
    assert lab.executed() == [4] * 4 and roots(lab) == 1


def test_nothing_is_executed_on_a_wrong_state(lab: Lab) -> None:
    fill(lab, 2)
    lab.stores[2].execute(pack(["put", "key1", b"wrong"]), NOBODY)
    lab.drops = lambda sender, to, message: isinstance(message, Blobs) and to == 2
    fill(lab, 4, 2)
    assert lab.executed() == [6, 6, 4, 6]


def test_sessions_are_part_of_the_state_that_is_fetched(lab: Lab) -> None:
    _cut_off(lab, 3)
    fill(lab, 20)
    _join(lab)
    lab.pass_time(5.0)
    sessions = [lab.replicas[number].state.sessions.last("ann") for number in range(4)]
    assert sessions == sessions[:1] * 4


def test_the_agreed_time_never_goes_back(lab: Lab) -> None:
    fill(lab, 1)
    before = lab.replicas[1].state._time
    lab.now -= 500.0
    lab.replicas[0].now -= 500.0
    fill(lab, 1)
    assert lab.replicas[1].state._time > before
