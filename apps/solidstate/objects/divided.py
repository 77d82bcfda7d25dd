"""A class that does not do the same everywhere: what servers hold that agree on nothing.

Three rules. Where 2f + 1 hold the same, the core repairs whoever does not; where no 2f + 1 do, no
checkpoint is ever proven and the group stands still. Then each replica looks at what another one
holds, by the messages by which states are fetched, and says in which variable the two differ first.
What is shown counts only as far as its owner signed it, and for that report alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from apps.solidstate.objects.differing import PageDifference, page_differences
from apps.solidstate.objects.service import STATE_BYTES_MAX
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import MalformedMessage
from apps.solidstate.pbft.effects import Effect, Report, Send
from apps.solidstate.pbft.messages import Blobs, Checkpoint, FetchBlobs, Message
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.tree import Part, tree_of
from vista import VistaError

DIVIDED_SECONDS = 5.0
"""How long enough replicas have signed a checkpoint, and not alike, before it is looked at what
they hold: others, with whom it would be proven, may be late. As long one may take to show it."""

SHOWN_BYTES_MAX = STATE_BYTES_MAX
"""Bytes of what another one shows that are taken: those of a state, less what is the same here."""

_GARBLED = (MalformedMessage, VistaError, ValueError, TypeError, IndexError, KeyError)


class Division:
    """Looks for checkpoints that cannot be proven, and compares what two replicas hold there.

    ``differences`` is what it found last, ``open`` tells whether a checkpoint is still looked at.
    `look` is called in every turn in which that is so, or votes for checkpoints are there, `take`
    with every `Blobs`.
    """

    def __init__(self) -> None:
        self.differences: list[PageDifference] = []
        self._sequence = 0
        self._due = math.inf
        self._tried: set[int] = set()
        self._told = False
        self._vote: Checkpoint | None = None
        self._part: Part | None = None
        self._asked: tuple[bytes, ...] = ()
        self._bytes = 0

    @property
    def open(self) -> bool:
        """Whether there is a checkpoint that enough signed, and not alike."""
        return self._sequence > 0

    @property
    def told(self) -> bool:
        """Whether it was reported that there is, and it is so yet."""
        return self._told

    def look(self, replica: Replica, now: float) -> list[Effect]:
        """Return what to ask another one for, or what was found; nothing where all is well."""
        sequence, others = divided(replica)
        if sequence != self._sequence:
            self._begin(sequence, now)
        if not others or self._told:
            return []
        vote, part = self._vote, self._part
        if vote is not None and part is not None:
            if part.whole:
                return self._compare(replica, vote, part, now)
            if now < self._due:
                return self._ask(replica, vote, part, now)
        elif now < self._due:
            return []
        return self._ask_another(replica, others, now)

    def take(self, sender: Principal, message: Message) -> None:
        """Take what another one shows, if it was asked for that."""
        vote, part = self._vote, self._part
        if vote is None or part is None or not isinstance(message, Blobs):
            return
        if sender != vote.replica or message.root != vote.root or not self._asked:
            return
        try:
            useful = [part.add(blob) for blob in message.blobs]
        except MalformedMessage:
            useful = []
        self._bytes += sum(map(len, message.blobs))
        part.put_back(self._asked)
        self._asked = ()
        if self._bytes > SHOWN_BYTES_MAX or not any(useful):
            self._due = -math.inf

    def _begin(self, sequence: int, now: float) -> None:
        self._sequence = sequence
        self._due = now + DIVIDED_SECONDS
        self._tried = set()
        self._told = False
        self._vote = self._part = None

    def _ask_another(
        self, replica: Replica, others: Sequence[Checkpoint], now: float
    ) -> list[Effect]:
        """Begin with the next one that signed something else; say so where all were asked."""
        left = [vote for vote in others if vote.replica not in self._tried]
        self._vote = self._part = None
        if not left:
            return self._tell("", None)
        vote = self._vote = left[0]
        self._tried.add(vote.replica)
        tree = replica.checkpoints.trees[self._sequence]
        part = self._part = Part(vote.root, [tree.blobs])
        self._asked, self._bytes = (), 0
        return self._ask(replica, vote, part, now)

    def _ask(self, replica: Replica, vote: Checkpoint, part: Part, now: float) -> list[Effect]:
        if self._asked:
            return []
        self._asked = part.take(replica.config.fetch_items_max)
        self._due = now + DIVIDED_SECONDS
        return [Send(vote.replica, FetchBlobs(vote.root, self._asked))]

    def _compare(self, replica: Replica, vote: Checkpoint, part: Part, now: float) -> list[Effect]:
        own = replica.checkpoints.trees[self._sequence].pages
        try:
            theirs = tree_of(vote.root, part.blobs).pages
            self.differences = page_differences(own, theirs)
        except _GARBLED:
            # What is no state is none of this class's doing.
            self._vote = self._part = None
            self._due = now
            return []
        first = self.differences[0]
        words = f": {first.words}"
        if first.class_name:
            words += f"; class {first.class_name} does not do the same everywhere"
        return self._tell(words, vote.replica)

    def _tell(self, words: str, member: int | None) -> list[Effect]:
        self._told = True
        self._vote = self._part = None
        begin = f"no state at {self._sequence} is proven, as replicas hold different ones"
        return [Report("divided", begin + words, member)]


def divided(replica: Replica) -> tuple[int, list[Checkpoint]]:
    """Return the first checkpoint that enough replicas signed, and who signed another state there.

    0 and nobody where there is none: all is well, or repaired by the core.
    """
    checkpoints = replica.checkpoints
    if replica.transfer.repairing or replica.epochs.retired:
        return 0, []
    for sequence in sorted(checkpoints.trees):
        votes = checkpoints.votes.get(sequence, {})
        if sequence <= checkpoints.proven.sequence or len(votes) < replica.quorums.certificate:
            continue
        own = checkpoints.trees[sequence].root
        others = [votes[number] for number in sorted(votes) if votes[number].root != own]
        if others:
            return sequence, others
    return 0, []
