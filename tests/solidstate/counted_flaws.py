"""Deliberate errors in the protocol of trusted counters, for the same purpose as ``flaws``.

Ten more take too many seeds and are found by `test_minbft`: what is shown is not compared with what
was accepted, an anchor or opening is not checked, of two views the lower one counts, and the like.
"""

from __future__ import annotations

from apps.solidstate.simulator.plan import COUNTED_FAULTS, COUNTED_STRATEGIES
from tests.solidstate.flaw import Flaw


def _flaw(
    name: str,
    module: str,
    text: str,
    change: str,
    *strategies: str,
    hint: int = 0,
    seeds: int = 600,
    faults: tuple[str, ...] = COUNTED_FAULTS,
) -> Flaw:
    chosen = strategies or COUNTED_STRATEGIES
    return Flaw(f"counted-{name}", module, text, change, chosen, faults, seeds, hint, "minbft")


COUNTED_FLAWS: tuple[Flaw, ...] = (
    _flaw(
        "certificate-one-short",
        "quorums",
        "return (self.replicas + liars) // 2 + 1",
        "return (self.replicas + liars) // 2",
        hint=1,
    ),
    _flaw(
        "gaps-not-waited-for",
        "counting",
        "            found = chain.waiting.get(counter)\n"
        "            if found is None or not self._is_timely(found[0]):\n"
        "                return\n"
        "            del chain.waiting[counter]\n",
        "            early = min(chain.waiting, default=0)\n"
        "            found = chain.waiting.get(early)\n"
        "            if found is None or not self._is_timely(found[0]):\n"
        "                return\n"
        "            del chain.waiting[early]\n",
        "equivocating",
    ),
    _flaw(
        "ui-unchecked",
        "counted_proofs",
        "counter = self._usigs.verify_ui(*key)",
        "counter = counted.counter or None",
        "lying",
        hint=8,
    ),
    _flaw(
        "history-with-gaps",
        "counted_proofs",
        "or self.counter(counted) != counter:",
        "or self.counter(counted) is None:",
        "forging",
        hint=19,
    ),
    _flaw(
        "view-never-began",
        "counted_proofs",
        "            and all(self._fits(order, account.opened) for order in orders)\n",
        "",
        "forging",
        hint=32,
    ),
    _flaw(
        "new-view-proof-unchecked",
        "counted_proofs",
        "            and all(self.view_change(vote) for vote in record.view_changes)\n",
        "",
        "forging",
        hint=756,
        seeds=1_000,
    ),
    _flaw(
        "vouched-for-too-much",
        "counting",
        "            if self.statements[counter].sequence > sequence:\n                break\n",
        "",
        hint=53,
    ),
    _flaw(
        "intent-not-written",
        "counting",
        '        self._replica.append("intent", counter, kind, view, sequence, subject)\n',
        "",
        faults=("crashes",),
        hint=4,
    ),
    _flaw(
        "ui-made-anew-after-a-crash",
        "usig",
        "return usig.kept(counter) or usig.create_ui(message)",
        "return usig.create_ui(message)",
        faults=("crashes",),
    ),
    _flaw(
        "not-asked-again-after-a-crash",
        "replica",
        "                self.counting.resume()\n",
        "",
        faults=("crashes",),
    ),
    _flaw(
        "forgotten-too-early",
        "counting",
        "self._replica.emit(Forget(self.own.base))",
        "self._replica.emit(Forget(self.own.heard))",
        faults=("crashes",),
    ),
    _flaw(
        "vote-for-an-invalid-batch",
        "counted_ordering",
        "if batch is not NULL_BATCH and not replica.proofs.batch(batch, replica.now):",
        "if False:",
        "inventing",
        hint=20,
    ),
    _flaw(
        "start-with-what-nobody-holds",
        "counted_views",
        "        return all(held)\n",
        "        return True\n",
        hint=73,
    ),
    _flaw(
        "votes-of-left-views-forgotten",
        "counting",
        "        if replica.log.holds(counted.sequence):\n",
        "        if counted.view == replica.views.view and replica.log.holds(counted.sequence):\n",
        hint=194,
    ),
    _flaw(
        "others-not-passed-on",
        "counted_parts",
        "or not (stands or number == replica.me):",
        "or number != replica.me:",
        "withholding",
        "silent",
        "equivocating",
        hint=21,
    ),
)
