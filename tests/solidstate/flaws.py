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
    seeds: int = 200
    hint: int = 0

    @property
    def path(self) -> Path:
        """The file that is changed."""
        return Path(__file__).parents[2] / "apps/solidstate/pbft" / f"{self.module}.py"


FLAWS: tuple[Flaw, ...] = (
    Flaw(
        "certificate-one-short",
        "quorums",
        "return 2 * self.faults + 1",
        "return 2 * self.faults",
        hint=7,
    ),
    Flaw("weak-one-short", "quorums", "return self.faults + 1", "return self.faults", hint=30),
    Flaw(
        "prepares-one-short",
        "quorums",
        "return self.certificate - 1",
        "return self.certificate - 2",
        hint=105,
    ),
    Flaw(
        "request-signature-unchecked",
        "proofs",
        "            and self.signed(request.client, request)\n",
        "",
        hint=15,
    ),
    Flaw(
        "batch-requests-unchecked",
        "proofs",
        "            and all(self.request(request) for request in requests)\n",
        "",
        ("inventing", "corrupting"),
        hint=11,
    ),
    Flaw(
        "prepare-signature-unchecked",
        "proofs",
        "return backup and not primary and self.signed(record.replica, record)",
        "return backup and not primary",
        ("equivocating",),
        hint=8,
    ),
    Flaw(
        "new-view-not-computed-again",
        "proofs",
        "            and self._follows(record)\n",
        "",
        ("forging",),
        hint=38,
    ),
    Flaw(
        "new-view-proof-unchecked",
        "proofs",
        "            and all(self.view_change(vote) for vote in record.view_changes)\n",
        "",
        ("forging",),
        hint=27,
    ),
    Flaw(
        "new-view-quorum-unchecked",
        "proofs",
        "            and len(signers) == len(record.view_changes)\n"
        "            and len(signers) >= self._quorums.certificate\n"
        "            and all(vote.view",
        "            and all(vote.view",
        ("forging",),
        hint=46,
    ),
    Flaw(
        "certificates-unchecked",
        "proofs",
        "            and all(self.prepared(proof) for proof in record.prepared)\n",
        "",
        ("forging",),
        hint=51,
    ),
    Flaw(
        "stable-proof-unchecked",
        "proofs",
        "            and self.stable(record.stable)\n",
        "",
        ("forging",),
        hint=25,
    ),
    Flaw(
        "stable-message-unchecked",
        "checkpoints",
        " and self._replica.proofs.stable(stable):",
        ":",
        ("forging",),
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
        hint=8,
    ),
    Flaw(
        "pre-prepare-not-on-disk",
        "ordering",
        '        self._replica.append("accepted", order.row, batch.row)\n',
        "",
        hint=1,
    ),
    Flaw("view-not-on-disk", "views", '        replica.append("view", view)\n', "", hint=1),
    Flaw(
        "new-view-not-on-disk",
        "views",
        '        replica.append("new-view", new_view.row)\n',
        "",
        hint=32,
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
        hint=3,
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
    ),
    Flaw(
        "second-pre-prepare-accepted",
        "ordering",
        "        if entry.pre_prepare is not None:\n            if entry",
        "        if False:\n            if entry",
        ("equivocating", "lying", "replaying"),
    ),
    Flaw(
        "watermark-ignored",
        "log",
        "return self.low < sequence <= self.high",
        "return self.low < sequence",
        hint=1,
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
        hint=18,
    ),
    Flaw(
        "primary-never-suspected",
        "views",
        '            self._change(self.view + 1, "suspect", "the primary is late")\n',
        "            self._late = math.inf\n",
        hint=6,
    ),
    Flaw(
        "joined-for-one",
        "views",
        "if len(higher) >= self._replica.quorums.weak:",
        "if higher:",
        ("storming",),
        ("byzantine",),
    ),
    Flaw(
        "commits-of-one-digest-not-asked",
        "ordering",
        "if list(entry.commits.values()).count(digest) >= self._replica.quorums.certificate:",
        "if len(entry.commits) >= self._replica.quorums.certificate:",
        ("lying", "equivocating"),
        hint=7,
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
        "transfer",
        "            digest = digest_of(blob)\n            if digest in self._asked:",
        "            digest = next(iter(self._asked), b'')\n            if digest in self._asked:",
        ("corrupting",),
        hint=5,
    ),
    Flaw(
        "reads-by-f-plus-1",
        "configuration",
        "return self.quorums.certificate if self.fast_reads else self.quorums.weak",
        "return self.quorums.weak",
        seeds=600,
        faults=("network",),
        hint=66,
    ),
    Flaw(
        "reply-by-one",
        "client",
        "if reply.result is not None and len(same) >= quorum:",
        "if reply.result is not None:",
        ("corrupting",),
    ),
    Flaw(
        "votes-before-the-view-starts",
        "ordering",
        "if order.view == views.view and views.active:",
        "if order.view == views.view:",
        hint=197,
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
        hint=14,
    ),
    Flaw(
        "laggards-not-told",
        "resending",
        "        self._resend_decided(sender, status)\n",
        "",
        hint=20,
    ),
    Flaw(
        "sequence-gap-after-view-change",
        "ordering",
        "self.next_sequence = max(low, *(order.sequence for order in orders), 0) + 1",
        "self.next_sequence = max(low, *(order.sequence for order in orders), 0) + 2",
        hint=1,
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
                running.run_seed(seed, flaw.faults, flaw.strategies)
            except Exception:
                return seed
    return None
