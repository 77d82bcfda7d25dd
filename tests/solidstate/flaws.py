"""Deliberate errors in the protocol, to see that the simulator finds them.

A flaw is a change of the source: a piece of text of one module that is replaced. The package is
imported anew with it, beside the sound one, so that no production code carries a switch.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from apps.solidstate.simulator.plan import FAULTS, STRATEGIES

PACKAGE = "apps.solidstate"


@dataclass(frozen=True)
class Flaw:
    """One error: in ``module`` of the pbft package, ``text`` becomes ``change``.

    ``seeds`` are within how many the simulator has to find it. ``strategies`` are those of faulty
    replicas, ``faults`` the kinds of faults; what cannot show the flaw is left out.
    ``hint`` is a seed that found it, which is tried first: any change of what a seed draws makes it
    worthless, and nothing but slower.
    """

    name: str
    module: str
    text: str
    change: str
    strategies: tuple[str, ...] = STRATEGIES
    faults: tuple[str, ...] = FAULTS
    seeds: int = 600
    hint: int = 0
    mode: str = "byzantine"

    @property
    def path(self) -> Path:
        """The file that is changed."""
        return Path(__file__).parents[2] / "apps/solidstate/pbft" / f"{self.module}.py"


FLAWS: tuple[Flaw, ...] = (
    Flaw(
        "certificate-one-short",
        "quorums",
        "return (self.replicas + liars) // 2 + 1",
        "return (self.replicas + liars) // 2",
    ),
    Flaw(
        "weak-one-short",
        "quorums",
        "else self.faults + 1",
        "else self.faults",
        hint=84,
    ),
    Flaw(
        "prepares-one-short",
        "quorums",
        "else self.certificate - 1",
        "else self.certificate - 2",
        hint=113,
    ),
    Flaw(
        "request-signature-unchecked",
        "proofs",
        "            and self.signed(request.client, request)\n",
        "",
    ),
    Flaw(
        "batch-requests-unchecked",
        "proofs",
        "            and all(self.request(request) for request in requests)\n",
        "",
        ("inventing", "corrupting"),
        hint=12,
    ),
    Flaw(
        "prepare-signature-unchecked",
        "proofs",
        "return backup and not primary and self.signed(record.replica, record)",
        "return backup and not primary",
        ("equivocating",),
        hint=168,
    ),
    Flaw(
        "new-view-not-computed-again",
        "proofs",
        "            and self._follows(record)\n",
        "",
        ("forging",),
        hint=158,
    ),
    Flaw(
        "new-view-proof-unchecked",
        "proofs",
        "            and all(self.view_change(vote) for vote in record.view_changes)\n",
        "",
        ("forging",),
        hint=9,
    ),
    Flaw(
        "new-view-quorum-unchecked",
        "proofs",
        "            and len(signers) == len(record.view_changes)\n"
        "            and len(signers) >= self.epoch.quorums.certificate\n"
        "            and all(vote.view",
        "            and all(vote.view",
        ("forging",),
        hint=104,
    ),
    Flaw(
        "certificates-unchecked",
        "proofs",
        "            and all(self.prepared(proof) for proof in record.prepared)\n",
        "",
        ("forging",),
        hint=69,
    ),
    Flaw(
        "stable-proof-unchecked",
        "proofs",
        "            and self.stable(record.stable)\n",
        "",
        ("forging",),
        hint=28,
    ),
    Flaw(
        "stable-message-unchecked",
        "checkpoints",
        " and self._replica.proofs.stable(stable):",
        ":",
        ("forging",),
        hint=1,
    ),
    Flaw(
        "new-view-forgets-certificates",
        "proofs",
        "best[number].batch if number in best else null",
        "null",
        hint=1,
    ),
    Flaw(
        "view-change-without-certificates",
        "views",
        "if entry.prepared is not None and entry.sequence > proven.sequence",
        "if False and entry.prepared is not None and entry.sequence > proven.sequence",
        hint=4,
    ),
    Flaw(
        "certificate-not-on-disk",
        "ordering",
        '        replica.append("prepared", entry.prepared.row)\n',
        "",
        hint=6,
    ),
    Flaw(
        "pre-prepare-not-on-disk",
        "ordering",
        '        self._replica.append("accepted", order.row, batch.row)\n',
        "",
        hint=6,
    ),
    Flaw(
        "view-not-on-disk",
        "views",
        '        replica.append("view", view)\n',
        "",
        hint=10,
    ),
    Flaw(
        "new-view-not-on-disk",
        "views",
        '        replica.append("new-view", new_view.row)\n',
        "",
        hint=92,
    ),
    Flaw(
        "checkpoint-not-on-disk",
        "checkpoints",
        "        self._replica.emit(Store(blobs))\n",
        "",
        hint=1,
    ),
    Flaw(
        "sessions-not-in-the-state",
        "executing",
        "        self.sessions.restore(pages[1 : PAGES + 1])\n",
        "",
        hint=1,
    ),
    Flaw(
        "executed-more-than-once",
        "executing",
        "        if request.timestamp > last.timestamp:\n            random",
        "        if True:\n            random",
        hint=4,
    ),
    Flaw(
        "cached-reply-forgotten",
        "requests",
        "            if request.timestamp == last.timestamp:\n"
        "                replica.state.answer(request, full=True)\n",
        "            pass\n",
    ),
    Flaw(
        "pre-prepare-signature-unchecked",
        "ordering",
        " or not replica.proofs.pre_prepare(order):",
        ":",
        ("equivocating", "lying", "replaying"),
        hint=15,
    ),
    Flaw(
        "second-pre-prepare-accepted",
        "ordering",
        "        if entry.pre_prepare is not None:\n            if entry",
        "        if False:\n            if entry",
        ("equivocating", "lying", "replaying"),
        hint=15,
    ),
    Flaw(
        "watermark-ignored",
        "log",
        "return self.low < sequence <= self.high",
        "return self.low < sequence",
        hint=2,
    ),
    Flaw(
        "log-never-cut",
        "checkpoints",
        "if replica.log.low < self.proven.sequence:",
        "if False:",
        faults=("clients", "skew"),
    ),
    Flaw(
        "divergence-not-repaired",
        "checkpoints",
        "            replica.transfer.repair()\n",
        "            pass\n",
        hint=6,
    ),
    Flaw(
        "primary-never-suspected",
        "views",
        '            self._change(self.view + 1, "suspect", "the primary is late")\n',
        "            self._late = math.inf\n",
        hint=76,
    ),
    Flaw(
        "joined-for-one",
        "views",
        "if len(higher) >= self._replica.quorums.weak:",
        "if higher:",
        ("storming",),
        ("byzantine",),
        hint=6,
    ),
    Flaw(
        "commits-of-one-digest-not-asked",
        "ordering",
        "if list(entry.commits.values()).count(digest) >= self._replica.quorums.certificate:",
        "if len(entry.commits) >= self._replica.quorums.certificate:",
        ("lying", "equivocating"),
        hint=12,
    ),
    Flaw(
        "decided-by-one",
        "ordering",
        ">= replica.quorums.weak:\n                self._settle",
        ">= 1:\n                self._settle",
        ("lying", "corrupting"),
    ),
    Flaw(
        "blobs-unchecked",
        "tree",
        "        digest = digest_of(blob)\n        heights",
        "        digest = next(iter(self._wanted), b'')\n        heights",
        ("corrupting",),
        hint=5,
    ),
    Flaw(
        "damaged-for-ever",
        "rejoining",
        "        if self._is_far_enough():\n",
        "        if False:\n",
        ("rotten",),
        ("byzantine", "crashes", "network"),
    ),
    Flaw(
        "reads-by-f-plus-1",
        "configuration",
        "return quorums.certificate if self.fast_reads else quorums.weak",
        "return quorums.weak",
        faults=("network",),
        hint=160,
    ),
    Flaw(
        "reply-by-one",
        "client",
        "if reply.result is not None and (firm >= quorum or certain):",
        "if reply.result is not None:",
        ("corrupting",),
    ),
    Flaw(
        "votes-before-the-view-starts",
        "ordering",
        "if order.view == views.view and views.active:",
        "if order.view == views.view:",
        hint=273,
    ),
    Flaw(
        "old-votes-count-in-a-new-view",
        "log",
        "        self.prepares = {}\n        self.commits = {}\n        self.committing = False\n"
        "\n    def digests",
        "        self.committing = False\n\n    def digests",
        hint=1,
    ),
    Flaw(
        "lost-messages-not-sent-again",
        "resending",
        "        self._answered[sender] = replica.now\n",
        "        return\n",
        hint=1,
    ),
    Flaw(
        "laggards-not-told",
        "resending",
        "        self._resend_decided(sender, status)\n",
        "",
        hint=17,
    ),
    Flaw(
        "sequence-gap-after-view-change",
        "ordering",
        "self.next_sequence = max(low, *(order.sequence for order in orders), 0) + 1",
        "self.next_sequence = max(low, *(order.sequence for order in orders), 0) + 2",
        hint=1,
    ),
    Flaw(
        "checkpoints-of-strangers-count",
        "proofs",
        "            record.replica in self.epoch\n            and record.epoch",
        "            record.epoch",
        ("forging",),
        hint=20,
    ),
    Flaw(
        "prepares-of-strangers-count",
        "proofs",
        "backup = record.replica in self.epoch and self.epoch.has_view(record.view)",
        "backup = self.epoch.has_view(record.view)",
        ("forging",),
        seeds=1500,
        hint=463,
    ),
    Flaw(
        "view-changes-of-strangers-count",
        "proofs",
        "record.replica in self.epoch\n            and self.epoch.has_view(record.view)\n",
        "self.epoch.has_view(record.view)\n",
        ("forging",),
        seeds=3000,
        hint=2314,
    ),
    Flaw(
        "executed-beyond-the-epoch",
        "executing",
        "while not replica.transfer.repairing and not replica.epochs.over:",
        "while not replica.transfer.repairing:",
        hint=15,
    ),
    Flaw(
        "void-batches-count",
        "log",
        "        self.low = low\n        self._entries.clear()\n        self._batches.clear()\n",
        "        self.truncate(low)\n",
        hint=10,
    ),
    Flaw(
        "handover-unproven",
        "epochs",
        " and replica.proofs.handover(handover):",
        ":",
        ("forging",),
        hint=1,
    ),
    Flaw(
        "handover-names-any-membership",
        "proofs",
        "            and self._certificate(stable, membership.digest)\n",
        "            and self._certificate(stable, stable.proof[0].successor)\n",
        ("forging",),
        hint=1,
    ),
    Flaw(
        "anybody-reconfigures",
        "executing",
        "if request.client in self._replica.config.administrators:",
        'if b"reconfigure" in request.operation:',
        faults=("clients", "epochs"),
        hint=6,
    ),
    Flaw(
        "membership-not-in-the-state",
        "executing",
        "        self.membership = read_membership(row)\n",
        "",
        hint=1,
    ),
    Flaw(
        "handover-not-on-disk",
        "epochs",
        '        replica.append("handover", handover.row)\n',
        "",
        hint=28,
    ),
    Flaw(
        "handover-not-in-the-compacted-log",
        "epochs",
        'return [["handover", handover.row] for handover in self.handovers]',
        "return []",
        hint=11,
    ),
    Flaw(
        "no-checkpoint-where-the-epoch-ends",
        "executing",
        "        if regular or self.membership.start == self.executed:\n",
        "        if regular:\n",
        hint=1,
    ),
    Flaw(
        "who-was-away-is-not-told",
        "resending",
        "            replica.epochs.tell(sender, epoch_of(status.view))\n",
        "",
        hint=1,
    ),
    Flaw(
        "clients-follow-no-handovers",
        "client",
        "            if self._proofs.handover(handover):\n",
        "            if False:\n",
        hint=1,
    ),
    Flaw(
        "who-left-votes",
        "replica",
        "return not self.abstains and self.me in self.proofs.epoch",
        "return not self.abstains",
        hint=273,
    ),
    Flaw(
        "keys-of-new-members-not-learnt",
        "proofs",
        "            if member.key:\n",
        "            if False:\n",
        hint=10,
    ),
    Flaw(
        "views-of-other-epochs-count",
        "membership",
        "return epoch_of(view) == self.number",
        "return True",
        hint=1,
    ),
    Flaw(
        "state-fetched-from-members-only",
        "epochs",
        "        if self.handovers and replica.checkpoints.proven == replica.proofs.base:\n",
        "        if False:\n",
        hint=20,
    ),
    Flaw(
        "reads-in-an-epoch-without-its-state",
        "epochs",
        "max(replica.state.readable_from, replica.epoch.start)",
        "replica.state.readable_from",
        faults=("network", "epochs"),
        hint=230,
    ),
    Flaw(
        "rolled-back-to-nothing-but-itself",
        "executing",
        "        self.restore(trees[max(trees)].pages if trees else self._first)\n",
        "        self._ahead, self._before = None, {}\n",
        hint=24,
    ),
    Flaw(
        "crash-majority-one-short",
        "quorums",
        "return (self.replicas + liars) // 2 + 1",
        "return (self.replicas + liars) // 2",
        mode="crash",
        hint=1,
    ),
    Flaw(
        "crash-asks-for-prepares",
        "quorums",
        "return 0 if self.crash_only else",
        "return",
        mode="crash",
    ),
    Flaw(
        "crash-primary-without-a-vote",
        "ordering",
        "(Proposal(entry.pre_prepare, batch))\n        self.advance(entry)\n",
        "(Proposal(entry.pre_prepare, batch))\n",
        mode="crash",
        hint=2,
    ),
    Flaw(
        "crash-reads-by-one",
        "configuration",
        "return quorums.certificate if self.fast_reads else quorums.weak",
        "return quorums.weak",
        faults=("network",),
        mode="crash",
        hint=1,
    ),
    Flaw(
        "crash-view-not-on-disk",
        "views",
        '        replica.append("view", view)\n',
        "",
        mode="crash",
        hint=2,
    ),
    Flaw(
        "crash-vote-not-on-disk",
        "ordering",
        '        replica.append("prepared", entry.prepared.row)\n',
        "",
        mode="crash",
        hint=31,
    ),
    Flaw(
        "crash-view-change-without-votes",
        "views",
        "if entry.prepared is not None and entry.sequence > proven.sequence",
        "if False and entry.prepared is not None and entry.sequence > proven.sequence",
        mode="crash",
    ),
    Flaw(
        "crash-lowest-view-wins",
        "proofs",
        "known is None or order.view > known.view",
        "known is None or order.view < known.view",
        seeds=3000,
        mode="crash",
        hint=274,
    ),
    Flaw(
        "crash-checkpoint-not-on-disk",
        "checkpoints",
        "        self._replica.emit(Store(blobs))\n",
        "",
        mode="crash",
        hint=9,
    ),
)
"""Every flaw; each is found by `tests.solidstate.test_flaws`."""


class _Flawed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the one module whose source is changed."""

    def __init__(self, flaw: Flaw) -> None:
        self._flaw = flaw
        self._name = f"{PACKAGE}.pbft.{flaw.module}"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        source = self._flaw.path.read_text("utf-8")
        assert source.count(self._flaw.text) == 1, f"{self._flaw.name}: not found once"
        changed = source.replace(self._flaw.text, self._flaw.change)
        exec(compile(changed, str(self._flaw.path), "exec"), module.__dict__)


@contextmanager
def flawed(flaw: Flaw) -> Iterator[Any]:
    """Give the module ``running`` of a simulator whose protocol has the flaw."""
    mine = [name for name in sys.modules if name.startswith(PACKAGE + ".")]
    kept = {name: sys.modules.pop(name) for name in mine}
    finder = _Flawed(flaw)
    sys.meta_path.insert(0, finder)
    try:
        yield importlib.import_module(f"{PACKAGE}.simulator.running")
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.startswith(PACKAGE + ".")]:
            del sys.modules[name]
        sys.modules.update(kept)


def first_seed_that_finds(flaw: Flaw) -> int | None:
    """Return the first seed whose run fails with the flaw, None if there is none in time."""
    with flawed(flaw) as running:
        for seed in (flaw.hint, *range(flaw.seeds)):
            try:
                running.run_seed(seed, flaw.faults, flaw.strategies, mode=flaw.mode)
            except Exception:
                return seed
    return None
