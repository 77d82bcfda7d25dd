"""Deliberate errors in the protocol of trusted counters, for the same purpose as ``flaws``.

Eleven more take too many seeds and are found by `test_minbft`: what is shown is not compared with
what was accepted, an anchor or opening is not checked, of two views the lower one counts, and such.
"""

from __future__ import annotations

from apps.solidstate.simulator.plan import COUNTED_STRATEGIES, FAULTS
from tests.solidstate.flaw import Flaw


def _flaw(
    name: str,
    module: str,
    text: str,
    change: str,
    *strategies: str,
    hint: int = 0,
    seeds: int = 600,
    faults: tuple[str, ...] = FAULTS,
) -> Flaw:
    chosen = strategies or COUNTED_STRATEGIES
    return Flaw(f"counted-{name}", module, text, change, chosen, faults, seeds, hint, "minbft")


COUNTED_FLAWS: tuple[Flaw, ...] = (
    _flaw(
        "certificate-one-short",
        "quorums",
        "return (self.replicas + liars) // 2 + 1",
        "return (self.replicas + liars) // 2",
        hint=10,
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
        hint=2,
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
        hint=817,
    ),
    _flaw(
        "vouched-for-too-much",
        "counting",
        "            if self.statements[counter].sequence > sequence:\n                break\n",
        "",
        hint=149,
        seeds=1_000,
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
        "return usig.kept(counter) or usig.create_ui(",
        "return usig.create_ui(",
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
        hint=206,
    ),
    _flaw(
        "others-not-passed-on",
        "counted_parts",
        "or not (stands or number == replica.me):",
        "or number != replica.me:",
        "withholding",
        "silent",
        "equivocating",
        hint=27,
    ),
    _flaw(
        "chains-go-on-in-the-next-epoch",
        "counting",
        "        base = base_of(epoch.number)\n",
        "        base = 0\n",
        faults=("epochs",),
    ),
    _flaw(
        "intents-go-on-in-the-next-epoch",
        "counting",
        "        self._intents = {}\n        self._ordering.begin_with(())\n",
        "        self._ordering.begin_with(())\n",
        faults=("epochs",),
        hint=8,
    ),
    _flaw(
        "devices-of-those-who-come-not-learnt",
        "counted_proofs",
        "            self._usigs.learn(member.number, found[1])\n",
        "            pass\n",
        faults=("epochs",),
    ),
    _flaw(
        "numbers-of-former-epochs-not-passed-over",
        "usig",
        "usig.create_ui(message, base_of(epoch_of_count(counter)))",
        "usig.create_ui(message)",
        faults=("epochs",),
    ),
    _flaw(
        "next-epoch-of-another-kind",
        "proofs",
        "Epoch(handover.membership, config.crash_only, config.minbft)",
        "Epoch(handover.membership, config.crash_only)",
        faults=("epochs",),
    ),
    _flaw(
        "handover-unproven",
        "proofs",
        "            and membership.start == stable.sequence > self.base.sequence\n"
        "            and self._certificate(stable, membership.digest)\n",
        "            and membership.start == stable.sequence > self.base.sequence\n",
        "forging",
        hint=6,
    ),
)
