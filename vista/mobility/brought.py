"""Modules made of source that another node sent.

Each becomes a module of its own, named after the digest of its source and of all it imports: what
is here is never overwritten, and two versions live side by side. What came along is imported by the
names it has at home, by the modules that came with it only. A module which can be imported here
with the same content is used as it is, so that nodes with one checkout share their records.
"""

from __future__ import annotations

import builtins
import importlib
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any, Final

from vista.errors import ObjectBusy, Overloaded
from vista.mobility.loader import classes_of
from vista.mobility.scan import python_mistakes
from vista.mobility.sources import (
    ModuleCode,
    absolute_name,
    closure_digest,
    find_source,
    reachable,
    with_packages,
)
from vista.records import BROUGHT, BROUGHT_AS, HOME_NAME

_NAME_BYTES: Final = 16
_SOURCES: Final = "__vista_sources__"
_UNFINISHED: Final = "__vista_unfinished__"


@contextmanager
def delivered(modules: Mapping[str, ModuleCode], kept_max: int) -> Iterator[Delivery]:
    """Let modules that came be loaded in the block; when it raises, nothing of them is left.

    ``modules`` are what came, by name; ``kept_max`` is how many of all deliveries a process keeps.
    """
    delivery = Delivery(modules, kept_max)
    try:
        yield delivery
    except BaseException:
        delivery.take_back()
        raise
    delivery.settle()


def home_of(module: ModuleType | None) -> tuple[str, Mapping[str, ModuleCode]] | None:
    """Return the name a module has at home and what came along, None when it was not brought."""
    space = {} if module is None else vars(module)
    return (space[HOME_NAME], space[_SOURCES]) if _SOURCES in space else None


class Delivery:
    """The modules that came together, and those of them that were run."""

    def __init__(self, modules: Mapping[str, ModuleCode], kept_max: int) -> None:
        self.modules = modules
        self._kept_max = kept_max
        self._loaded: dict[str, ModuleType] = {}
        self._made: list[ModuleType] = []
        # Each is needed by many others; to read a hundred sources for each of a hundred took 0.2 s.
        self._same: dict[str, bool] = {}

    def load(self, name: str) -> ModuleType:
        """Return a module after the packages above it, each run once for each content.

        Raises `ClassDefinitionError` for source that is not Python, `Overloaded` when too many such
        modules are kept, `ObjectBusy` for one that another thread is running, which waits for
        something meanwhile, and what the source itself raises.
        """
        above = [self._load_one(at) for at in with_packages(name) if at in self.modules]
        return above[-1]

    def _load_one(self, name: str) -> ModuleType:
        # Kept, because an import inside of a function is done at each call.
        known = self._loaded.get(name)
        if known is not None:
            return known
        if self._is_here(name):
            known = importlib.import_module(name)
        else:
            known_as = BROUGHT_AS + closure_digest(name, self.modules)[:_NAME_BYTES].hex()
            known = sys.modules.get(known_as)
            if known is None:
                known = self._run(known_as, self.modules[name])
            elif _UNFINISHED in vars(known) and known not in self._made:
                raise ObjectBusy(f"module {name} is being loaded by another thread: try again")
        self._loaded[name] = known
        return known

    def _is_here(self, name: str) -> bool:
        return all(map(self._is_same, reachable(name, self.modules)))

    def _is_same(self, name: str) -> bool:
        known = self._same.get(name)
        if known is None:
            known = self._same[name] = find_source(name) == self.modules[name]
        return known

    def _run(self, known_as: str, code: ModuleCode) -> ModuleType:
        if sum(one.startswith(BROUGHT_AS) for one in sys.modules) >= self._kept_max:
            raise Overloaded(
                f"{self._kept_max} modules that peers brought are kept here already "
                "(limit code_modules_kept_max)"
            )
        shown = f"<{code.name} {known_as.removeprefix(BROUGHT_AS)[:8]}>"
        with python_mistakes(shown):
            compiled = compile(code.source, shown, "exec", dont_inherit=True)
        lines = code.source.splitlines(keepends=True)
        linecache.cache[shown] = (len(code.source), None, lines, shown)
        module = self._empty(known_as, code, shown)
        sys.modules[known_as] = module
        self._made.append(module)
        exec(compiled, vars(module))
        return module

    def _empty(self, known_as: str, code: ModuleCode, shown: str) -> ModuleType:
        module = ModuleType(known_as)
        importing = partial(self.find, code)
        vars(module).update(
            {
                "__file__": shown,
                "__package__": code.name if code.is_package else code.name.rpartition(".")[0],
                "__builtins__": {**vars(builtins), "__import__": importing},
                HOME_NAME: code.name,
                _SOURCES: self.modules,
                _UNFINISHED: True,
            }
        )
        if code.is_package:
            vars(module)["__path__"] = []
        return module

    def find(
        self,
        code: ModuleCode,
        name: str,
        variables: Mapping[str, Any] | None = None,
        local: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import as the statement in module ``code`` asks for, what came along before all else."""
        full = absolute_name(code, name, level)
        if full not in self.modules:
            return builtins.__import__(name, variables, local, fromlist or (), level)
        module = self.load(full)
        if fromlist and "*" in fromlist:
            return module
        wanted = full if fromlist else full.partition(".")[0]
        return self.view(wanted)

    def view(self, name: str) -> ModuleType:
        """Return a module as those that came with it see it."""
        module = self.load(name)
        return _Package(self, name, module) if self.modules[name].is_package else module

    def settle(self) -> None:
        """Let records of the modules that ran be found by the names they have at home."""
        for module in self._made:
            del vars(module)[_UNFINISHED]
            sys.modules[BROUGHT + vars(module)[HOME_NAME]] = module

    def take_back(self) -> None:
        """Leave nothing of the modules that ran."""
        for module in self._made:
            for cls in classes_of(module):
                # Python keeps a class for a while. Without a name no class table takes it in.
                if "__vista_class__" in vars(cls):
                    del cls.__vista_class__
            del sys.modules[module.__name__]
            linecache.cache.pop(str(module.__file__), None)


class _Package(ModuleType):
    """A package as one delivery sees it.

    The package itself may be shared with other deliveries, whose modules of the same names have
    another content; so these are no attributes of it.
    """

    def __init__(self, delivery: Delivery, name: str, module: ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        vars(self)["_vista_view"] = (delivery, name, module)

    def __getattr__(self, name: str) -> Any:
        delivery, home, module = vars(self)["_vista_view"]
        child = f"{home}.{name}"
        if name not in vars(module) and child in delivery.modules:
            return delivery.view(child)
        return getattr(module, name)
