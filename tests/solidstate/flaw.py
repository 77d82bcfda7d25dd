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
