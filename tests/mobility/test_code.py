"""The code of classes: taking what another node sent, and what is refused."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vista
from vista.errors import (
    ClassDefinitionError,
    NoSuchClass,
    ObjectBusy,
    Overloaded,
    RemoteProtocolError,
)
from vista.kernel.kernel import Kernel
from vista.limits import Limits
from vista.mobility.brought import delivered
from vista.mobility.code import SOURCE, ClassCode, class_code, take_class
from vista.mobility.sources import ModuleCode, closure_digest, find_source, make_code
from vista.records import find_record, record_name
from vista.testing import World

HEAD = "import vista\n"
RING = (
    HEAD + "class {name}(vista.Object, version={version}):\n    def ring(self): return {text!r}\n"
)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """The kernel of a node that moves only when it is called."""
    with World(7) as world:
        yield world.node().kernel


def coded(name: str, source: str, version: int = 0, **others: str) -> ClassCode:
    """The code of a class in module ``sent_e.own``; others are modules beside it."""
    sources = {"sent_e": "", "sent_e.own": source}
    sources |= {f"sent_e.{other}": text for other, text in others.items()}
    modules = {at: make_code(at, text, is_package=at == "sent_e") for at, text in sources.items()}
    digest = closure_digest("sent_e.own", modules)
    modules = {"sent_e.own": modules["sent_e.own"], **modules}
    own = ("Local", name, version, "sent_e.own", name)
    return ClassCode(*own, SOURCE, digest, tuple(modules.values()))


def ringer(name: str, text: str = "ding", version: int = 0) -> ClassCode:
    """The code of a class whose ``ring`` returns a text."""
    return coded(name, RING.format(name=name, version=version, text=text), version)


def run(kernel: Kernel, name: Any, method: str = "ring", *args: Any) -> Any:
    """What a method of a class gives, on a plain instance."""
    cls = kernel.classes.resolve(name).cls
    return getattr(cls, method)(object.__new__(cls), *args)


def left_over() -> set[str]:
    """The modules that peers brought to this process."""
    return {name for name in sys.modules if name.startswith("vista_code")}


# --- taken ---------------------------------------------------------------------------------


def test_a_class_that_came_is_known_by_its_name(kernel: Kernel) -> None:
    entry = take_class(kernel, ringer("CameCarillon"))
    assert str(entry.class_name) == "Local.CameCarillon version 0"
    assert run(kernel, "CameCarillon") == "ding"


def test_the_same_content_is_run_once(kernel: Kernel) -> None:
    first = take_class(kernel, ringer("OnceCarillon")).cls
    assert take_class(kernel, ringer("OnceCarillon")).cls is first


def test_two_versions_live_side_by_side(kernel: Kernel) -> None:
    take_class(kernel, ringer("SideCarillon", "ding", 1))
    take_class(kernel, ringer("SideCarillon", "dong", 2))
    sounds = [run(kernel, ["Local", "SideCarillon", version]) for version in (1, 2)]
    assert [*sounds, run(kernel, "SideCarillon")] == ["ding", "dong", "dong"]


def test_another_content_takes_the_place_of_the_class_it_names(kernel: Kernel) -> None:
    take_class(kernel, ringer("LaterCarillon", "ding"))
    take_class(kernel, ringer("LaterCarillon", "dong"))
    assert run(kernel, "LaterCarillon") == "dong"


def test_a_class_that_only_came_along_takes_nobodys_place(kernel: Kernel) -> None:
    take_class(kernel, ringer("KeptCarillon", "ding"))
    both = RING.format(name="KeptCarillon", version=0, text="other")
    both += RING.format(name="AlongCarillon", version=0, text="dong")
    take_class(kernel, coded("AlongCarillon", both))
    assert [run(kernel, "KeptCarillon"), run(kernel, "AlongCarillon")] == ["ding", "dong"]


IMPORTS = [
    "from sent_e import near",
    "from sent_e.near import *\nimport sent_e.near as near",
    "from . import near",
    "import sent_e.near\nnear = sent_e.near",
    "import sent_e\nnear = sent_e.near",
]


@pytest.mark.parametrize("line", IMPORTS)
def test_modules_that_came_along_are_imported_by_their_names(kernel: Kernel, line: str) -> None:
    name = f"ImportCarillon{IMPORTS.index(line)}"
    source = f"{HEAD}{line}\nclass {name}(vista.Object):\n    def ring(self): return near.TEXT\n"
    take_class(kernel, coded(name, source, near="TEXT = 'near'"))
    assert run(kernel, name) == "near"


def test_a_late_import_finds_what_came_along(kernel: Kernel) -> None:
    body = "    def ring(self):\n        from sent_e import near\n        return near.TEXT\n"
    source = f"{HEAD}class LateCarillon(vista.Object):\n{body}"
    take_class(kernel, coded("LateCarillon", source, near="TEXT = 'late'"))
    assert run(kernel, "LateCarillon") == "late"


def test_modules_that_import_each_other_are_loaded(kernel: Kernel) -> None:
    source = RING.format(name="RoundCarillon", version=0, text="round") + "import sent_e.near\n"
    take_class(kernel, coded("RoundCarillon", source, near="import sent_e.own"))
    assert run(kernel, "RoundCarillon") == "round"


def test_each_class_imports_what_came_with_it(kernel: Kernel) -> None:
    source = HEAD + "from sent_e import near\nclass {}(vista.Object):\n"
    source += "    def ring(self): return near.TEXT\n"
    take_class(kernel, coded("OldPart", source.format("OldPart"), near="TEXT = 'old'"))
    take_class(kernel, coded("NewPart", source.format("NewPart"), near="TEXT = 'new'"))
    assert [run(kernel, "OldPart"), run(kernel, "NewPart")] == ["old", "new"]


def test_no_import_of_this_process_finds_what_came(kernel: Kernel) -> None:
    take_class(kernel, ringer("HiddenCarillon"))
    with pytest.raises(ModuleNotFoundError, match=r"'sent_e'"):
        importlib.import_module("sent_e.own")


def test_tracebacks_and_people_see_the_source_that_came(kernel: Kernel) -> None:
    cls = take_class(kernel, ringer("ShownCarillon", "shown")).cls
    assert "return 'shown'" in inspect.getsource(cls)


# --- records -------------------------------------------------------------------------------

PRICE = """
from dataclasses import dataclass
import vista
@vista.record
@dataclass
class Price:
    cents: int
class TooDear(Exception): pass
"""
TILL = HEAD + "from sent_e.near import Price\nclass {}(vista.Object):\n    Price = Price\n"


def test_a_record_that_came_has_the_name_it_has_at_home(kernel: Kernel) -> None:
    cls: Any = take_class(kernel, coded("HomeTill", TILL.format("HomeTill"), near=PRICE)).cls
    assert record_name(cls.Price) == "sent_e.near:Price"
    assert find_record("sent_e.near:Price") is cls.Price


def test_an_exception_that_came_is_found_by_its_name_at_home(kernel: Kernel) -> None:
    take_class(kernel, coded("DearTill", TILL.format("DearTill"), near=PRICE))
    found = find_record("sent_e.near:TooDear")
    assert found is not None and issubclass(found, Exception)


def test_classes_that_came_with_the_same_module_share_its_records(kernel: Kernel) -> None:
    one: Any = take_class(kernel, coded("FirstTill", TILL.format("FirstTill"), near=PRICE)).cls
    two: Any = take_class(kernel, coded("OtherTill", TILL.format("OtherTill"), near=PRICE)).cls
    assert one.Price is two.Price


def test_of_two_versions_of_a_record_the_later_is_found(kernel: Kernel) -> None:
    take_class(kernel, coded("EarlyTill", TILL.format("EarlyTill"), near=PRICE + "early = 1\n"))
    other = coded("LastTill", TILL.format("LastTill"), near=PRICE + "last = 1\n")
    cls: Any = take_class(kernel, other).cls
    assert find_record("sent_e.near:Price") is cls.Price


# --- what is here already ------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for modules that can be imported; they are forgotten at the end."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("here_e"):
            del sys.modules[name]


def here(name: str, source: str) -> ClassCode:
    """The code of a class whose module ``here_e`` stands alone."""
    modules = {"here_e": make_code("here_e", source)}
    digest = closure_digest("here_e", modules)
    return ClassCode("Local", name, 0, "here_e", name, SOURCE, digest, tuple(modules.values()))


def test_a_module_that_is_here_with_the_same_content_is_used(kernel: Kernel, own: Path) -> None:
    source = RING.format(name="HereCarillon", version=0, text="here")
    (own / "here_e.py").write_text(source)
    cls = take_class(kernel, here("HereCarillon", source)).cls
    assert cls is importlib.import_module("here_e").HereCarillon


def test_a_module_that_is_here_with_another_content_stays(kernel: Kernel, own: Path) -> None:
    (own / "here_e.py").write_text("TEXT = 'mine'\n")
    cls = take_class(
        kernel, here("StrangeCarillon", RING.format(name="StrangeCarillon", version=0, text="x"))
    ).cls
    assert importlib.import_module("here_e").TEXT == "mine"
    assert cls.__module__ != "here_e"


# --- sent ----------------------------------------------------------------------------------


def test_a_class_that_came_can_be_sent_on(kernel: Kernel) -> None:
    code = coded("OnwardTill", TILL.format("OnwardTill"), near=PRICE)
    again = class_code(take_class(kernel, code).cls, Limits())
    assert again.digest == code.digest
    assert {module.name for module in again.modules} == {"sent_e", "sent_e.own", "sent_e.near"}


def test_code_is_a_value(kernel: Kernel) -> None:
    code = ringer("ValueCarillon")
    assert kernel.codec.decode(kernel.codec.encode(code)) == code


def test_classes_of_vista_do_not_travel() -> None:
    with pytest.raises(NoSuchClass, match=r"part of vista"):
        class_code(vista.Object, Limits())


# --- refused -------------------------------------------------------------------------------


def test_a_source_with_another_digest_is_refused(kernel: Kernel) -> None:
    code = ringer("ForgedCarillon")
    first, *others = code.modules
    forged = replace(code, modules=(replace(first, source=first.source + "#"), *others))
    with pytest.raises(RemoteProtocolError, match=r"another digest"):
        take_class(kernel, forged)


def test_another_digest_of_the_whole_is_refused(kernel: Kernel) -> None:
    with pytest.raises(RemoteProtocolError, match=r"another digest"):
        take_class(kernel, replace(ringer("WrongCarillon"), digest=bytes(32)))


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"version": "0"},
        {"modules": ()},
        {"modules": None},
        {"pickled": "text"},
        {"module": "elsewhere"},
        {"module": None},
        {"qualname": "Long" * 100},
    ],
)
def test_code_in_another_shape_is_refused(kernel: Kernel, change: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError, match=r"in another shape"):
        take_class(kernel, replace(ringer("ShapeCarillon"), **change))


def test_something_else_than_code_is_refused(kernel: Kernel) -> None:
    with pytest.raises(RemoteProtocolError, match=r"no code of a class but str"):
        take_class(kernel, "print('hello')")


def test_code_that_defines_another_class_is_refused(kernel: Kernel) -> None:
    with pytest.raises(RemoteProtocolError, match=r"defines Local\.TrueCarillon version 0 instead"):
        take_class(kernel, replace(ringer("TrueCarillon"), version=5))


def test_code_without_the_class_is_refused(kernel: Kernel) -> None:
    with pytest.raises(RemoteProtocolError, match=r"defines no NoCarillon"):
        take_class(kernel, coded("NoCarillon", HEAD))


@pytest.mark.parametrize("limits", [Limits(code_modules_max=1), Limits(code_bytes_max=50)])
def test_more_code_than_the_limits_allow_is_refused(kernel: Kernel, limits: Limits) -> None:
    kernel.limits = limits
    with pytest.raises(RemoteProtocolError, match=r"limits code_modules_max, code_bytes_max"):
        take_class(kernel, ringer("LargeCarillon"))


def test_more_modules_than_are_kept_are_refused(kernel: Kernel) -> None:
    kernel.limits = Limits(code_modules_kept_max=1)
    with pytest.raises(Overloaded, match=r"limit code_modules_kept_max"):
        take_class(kernel, ringer("ManyCarillon"))


def test_whether_a_module_is_here_is_looked_up_once_and_not_for_each_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: Counter[str] = Counter()

    def find(name: str) -> ModuleCode | None:
        looked_up[name] += 1
        return find_source(name)

    names = [f"chained_e{number}" for number in range(10)]
    modules = {}
    for name, needed in zip(names, [*names[1:], "sys"], strict=True):
        modules[name] = make_code(name, f"import {needed}\n")
        (tmp_path / f"{name}.py").write_text(modules[name].source)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("vista.mobility.brought.find_source", find)
    try:
        with delivered(modules, 4096) as delivery:
            for name in names:
                assert delivery.load(name) is sys.modules[name]
    finally:
        for name in names:
            sys.modules.pop(name, None)
    assert looked_up == dict.fromkeys(names, 1)


def test_a_module_that_another_thread_runs_is_not_taken_half_done(kernel: Kernel) -> None:
    code = ringer("HalfCarillon")
    modules = {module.name: module for module in code.modules}
    with delivered(modules, 4096) as first, delivered(modules, 4096) as second:
        first.load(code.module)
        # Its package, when no test before this one brought that.
        with pytest.raises(ObjectBusy, match=r"module sent_e(\.own)? is being loaded"):
            second.load(code.module)
    assert take_class(kernel, code).name == "HalfCarillon"


def test_a_missing_module_is_named(kernel: Kernel) -> None:
    before = left_over()
    with pytest.raises(NoSuchClass, match=r"Local\.LackCarillon .* No module named 'lacking_e'"):
        take_class(kernel, coded("LackCarillon", "import lacking_e\n"))
    assert left_over() == before


def test_source_that_is_not_python_is_named_and_leaves_nothing(kernel: Kernel) -> None:
    before = left_over()
    with pytest.raises(ClassDefinitionError, match=r"sent_e\.own.*:2:"):
        take_class(kernel, coded("CrookedCarillon", "pass\ndef = 1\n"))
    assert left_over() == before


def test_source_that_raises_leaves_nothing(kernel: Kernel) -> None:
    before = left_over()
    source = (
        RING.format(name="RaisingCarillon", version=0, text="x") + "import sent_e.near\n1 / 0\n"
    )
    with pytest.raises(ZeroDivisionError):
        take_class(kernel, coded("RaisingCarillon", source, near="a = 1"))
    assert left_over() == before
    with pytest.raises(NoSuchClass):
        kernel.classes.resolve("RaisingCarillon")
