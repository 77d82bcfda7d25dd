"""What is on disk, what a restart makes of it, and what damage does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.durable import Recovered, frame, frames, read_frames
from apps.solidstate.pbft.effects import Append, Compact, Executed, Store
from apps.solidstate.pbft.messages import (
    Batch,
    Checkpoint,
    Commit,
    Decided,
    Message,
    Prepare,
    Proposal,
    Reply,
    Stable,
    Status,
    ViewChange,
)
from tests.solidstate.lab import Lab, sent

RECORDS = [b"one", b"", b"three" * 50]


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_whole_frames_are_read_back() -> None:
    assert read_frames(frames(RECORDS)) == (RECORDS, False)


def test_a_last_frame_torn_anywhere_is_dropped_and_is_no_damage() -> None:
    data = frames(RECORDS)
    start = len(frames(RECORDS[:2]))
    for end in range(start, len(data)):
        assert read_frames(data[:end]) == (RECORDS[:2], False)


def test_a_flipped_bit_before_the_last_frame_is_damage() -> None:
    data = frames(RECORDS)
    for place in range(len(frames(RECORDS[:2]))):
        flipped = bytearray(data)
        flipped[place] ^= 4
        records, damaged = read_frames(bytes(flipped))
        assert damaged and records == RECORDS[: len(records)] and len(records) < 2


def test_a_frame_that_is_missing_is_damage() -> None:
    data = frame(0, b"one") + frame(2, b"three")
    assert read_frames(data) == ([b"one"], True)


def test_all_replicas_killed_at_once_lose_nothing_acknowledged(lab: Lab) -> None:
    for number in range(6):
        lab.ask("ann", "put", f"key{number}", b"%d" % number)
    lab.restart(0, 1, 2, 3)
    lab.run()
    lab.ask("bob", "get", "key5")
    lab.pass_time(3.0)
    assert [unpack(one) for one in lab.answers["bob"]] == [["ok", b"5"]]
    assert lab.executed() == [7] * 4


def test_all_killed_after_the_reply_of_the_first_lose_nothing(lab: Lab) -> None:
    # Only replica 1 gets commits, and only it answers; the others know the certificate at most.
    lab.drops = lambda sender, to, message: isinstance(message, Commit) and to != 1
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [0, 1, 0, 0]
    lab.restart(0, 1, 2, 3)
    lab.drops = lambda *_: False
    lab.run()
    lab.pass_time(2.0)
    assert lab.executed() == [1] * 4


def test_a_restarted_backup_repeats_its_prepare_and_says_nothing_else(lab: Lab) -> None:
    proposal = lab.proposal()
    (before,) = sent(lab.tell(1, 0, proposal), Prepare)
    lab.restart(1)
    assert sent(lab.effects[1], Prepare) == [before, before]
    other = lab.proposal(view=0, batch=Batch(2, b"x", (lab.request(),)))
    assert sent(lab.tell(1, 0, other), Prepare) == []


def test_a_restarted_primary_goes_on_above_what_it_proposed(lab: Lab) -> None:
    lab.tell(0, "ann", lab.request())
    lab.drops = lambda *_: True
    lab.restart(0)
    assert lab.replicas[0].ordering.next_sequence == 2


def test_a_restarted_replica_is_on_its_way_to_the_view_it_left_for(lab: Lab) -> None:
    lab.tell(1, "ann", lab.request())
    lab.drops = lambda *_: True
    lab.pass_time(1.5)
    lab.tell(1, 2, Status(0, True, 0, 0, impatient=True))
    lab.restart(1)
    views = lab.replicas[1].views
    assert (views.view, views.active) == (1, False)
    assert len(sent(lab.effects[1], ViewChange)) == 2
    assert sent(lab.tell(1, 0, lab.proposal()), Prepare) == []


def test_a_restarted_replica_starts_from_its_latest_checkpoint(lab: Lab) -> None:
    for number in range(5):
        lab.ask("ann", "put", f"key{number}", b"1")
    lab.drops = lambda *_: True
    lab.restart(1)
    assert lab.replicas[1].state.executed >= 4


def test_a_restarted_replica_serves_every_checkpoint_it_kept(lab: Lab) -> None:
    # Another one may need the proven one, while this one is ahead of it.
    lab.drops = lambda sender, to, message: isinstance(message, Checkpoint) and message.sequence > 4
    for number in range(9):
        lab.ask("ann", "put", f"key{number}", b"1")
    lab.restart(1)
    assert sorted(lab.replicas[1].checkpoints.trees) == [4, 8]


def test_what_was_executed_before_a_restart_can_be_told_to_others(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Checkpoint)
    for number in range(5):
        lab.ask("ann", "put", f"key{number}", b"1")
    lab.drops = lambda *_: True
    lab.restart(1)
    entry = lab.replicas[1].log.get(4)
    assert entry is not None and entry.decided is not None


def test_a_blob_that_is_lost_is_fetched_from_others(lab: Lab) -> None:
    for number in range(9):
        lab.ask("ann", "put", f"key{number}", b"1")
    lab.blobs[1].clear()
    lab.restart(1)
    lab.run()
    lab.pass_time(3.0)
    assert lab.executed() == [9] * 4


def killed_after(lab: Lab, writes: int, sender: int, message: Message) -> None:
    """Have replica 3 take a message, killed when so many of its writes are on disk; start it."""
    records, blobs = list(lab.logs[3]), dict(lab.blobs[3])
    effects = lab.tell(3, sender, message)
    written = [one for one in effects if isinstance(one, Append | Store | Compact)][:writes]
    assert all(isinstance(one, Append) for one in written)
    records += [one.record for one in written if isinstance(one, Append)]
    lab.logs[3], lab.blobs[3] = records, blobs
    lab.restart(3)


def test_a_log_that_was_to_be_cut_is_cut_at_the_restart(lab: Lab) -> None:
    # Its window ends where its state is: without that it takes no part in anything above.
    lab.drops = lambda sender, to, message: to == 3 and isinstance(message, Checkpoint | Stable)
    for number in range(8):
        lab.ask("ann", "put", "a", b"%d" % number)
    assert lab.replicas[3].log.high == 8 == lab.replicas[3].state.executed
    lab.drops = lambda *_: True
    killed_after(lab, 1, 0, lab.replicas[0].checkpoints.proven)
    assert lab.replicas[3].log.low == 8 == lab.replicas[3].state.executed


def test_a_log_that_is_cut_while_a_replica_starts_ends_nothing(lab: Lab) -> None:
    # 1. It knows that 1 to 4 are decided, and that 4 is proven; it lacks the first batch.
    # 2. That comes, and is all that is on disk when the power goes.
    # 3. At the restart it executes all four while it looks at the second one.
    late = Prepare | Commit | Checkpoint | Stable | Batch | Decided

    def drops(sender: Principal, to: Principal, message: Message) -> bool:
        first = isinstance(message, Proposal) and message.pre_prepare.sequence == 1
        return to == 3 and (first or isinstance(message, late))

    lab.drops = drops
    for number in range(4):
        lab.ask("ann", "put", "a", b"%d" % number)
    batches = [one.batch for one in lab.effects[0] if isinstance(one, Executed)]
    for sequence, batch in enumerate(batches, 1):
        for other in (0, 1):
            lab.tell(3, other, Decided(sequence, batch.digest))
    lab.tell(3, 0, lab.replicas[0].checkpoints.proven)
    killed_after(lab, 1, 0, batches[0])
    assert lab.executed() == [4] * 4 and lab.replicas[3].log.low == 4


@pytest.mark.parametrize("records", ["none", "some"])
def test_a_damaged_replica_follows_and_does_not_vote(lab: Lab, records: str) -> None:
    lab.ask("ann", "put", "a", b"1")
    if records == "none":
        lab.logs[1] = []
    lab.effects[1] = []
    lab.restart(1, damaged=True)
    lab.run()
    for number in range(5):
        lab.ask("ann", "put", f"key{number}", b"1")
    lab.pass_time(3.0)
    assert lab.executed() == [6] * 4
    votes = [sent(lab.effects[1], kind) for kind in (Prepare, Commit, ViewChange)]
    assert votes == [[], [], []]
    assert "damaged" in lab.reports(1)


def test_a_damaged_replica_still_does_not_vote_after_another_restart(lab: Lab) -> None:
    lab.ask("ann", "put", "a", b"1")
    lab.restart(1, damaged=True)
    lab.run()
    lab.restart(1)
    assert not lab.replicas[1].voting


def test_a_disk_without_records_is_no_fresh_start() -> None:
    lab = Lab()
    lab.start(1, Recovered())
    assert not lab.replicas[1].voting


def test_a_log_of_another_version_is_refused(lab: Lab) -> None:
    with pytest.raises(ValueError, match=r"a log with a record 'novel' is of another version"):
        lab.start(1, Recovered((pack(["novel"]),)))


def test_reads_wait_until_a_restarted_replica_is_where_it_was() -> None:
    lab = Lab(fast_reads=True)
    lab.ask("ann", "put", "a", b"1")
    lab.drops = lambda *_: True
    lab.restart(1)
    state = lab.replicas[1].state
    assert (state.executed, state.readable_from) == (0, 1)
    read = replace(lab.request("bob"), read_only=True)
    (refusal,) = sent(lab.tell(1, "bob", lab.signed("bob", read)), Reply)
    assert (refusal.result_digest, refusal.result) == (b"", None)
