"""Classes without a source: what is sent of them, and what is refused. See also tests/live."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import vista
from tests.mobility.test_code import coded as sent
from vista.errors import BadValueError, ClassDefinitionError, NotAValueError, RemoteProtocolError
from vista.kernel.kernel import Kernel
from vista.limits import Limits
from vista.mobility.code import PICKLE, ClassCode, class_code, take_class
from vista.testing import World


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """The kernel of a node that moves only when it is called."""
    with World(7) as world:
        yield world.node().kernel


def typed(source: str, **variables: Any) -> Any:
    """What a cell at a prompt defines last, with variables that were there before."""
    module = ModuleType("__main__")
    vars(module).update(variables, vista=vista)
    exec(source, vars(module))
    return list(vars(module).values())[-1]


def coded(source: str, **variables: Any) -> ClassCode:
    """The code of a class typed at a prompt."""
    return class_code(typed(source, **variables), Limits())


def test_a_class_typed_at_a_prompt_has_no_source_to_send() -> None:
    code = coded("class TypedCarillon(vista.Object):\n    def ring(self): return 1\n")
    assert (code.kind, code.module, code.modules) == (PICKLE, "__main__", ())


def test_a_class_defined_in_a_function_has_no_source_to_send() -> None:
    class InnerCarillon(vista.Object):
        pass

    assert class_code(InnerCarillon, Limits()).kind == PICKLE


def test_a_class_that_was_defined_again_is_not_sent_as_its_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "again_e.py").write_text("import vista\nclass AgainCarillon(vista.Object): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import again_e  # type: ignore[import-not-found]

    old = again_e.AgainCarillon
    assert class_code(old, Limits()).kind == "source"
    again_e.AgainCarillon = type("AgainCarillon", (vista.Object,), {})
    assert class_code(old, Limits()).kind == PICKLE


def test_the_name_space_and_version_go_along(kernel: Kernel) -> None:
    code = coded("class SpaceCarillon(vista.Object, namespace='Bells', version=3): pass")
    assert str(take_class(kernel, code).class_name) == "Bells.SpaceCarillon version 3"


def test_a_module_of_the_project_that_it_refers_to_goes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sounds_e.py").write_text("def loud(): return 'DING'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    source = (
        "from sounds_e import loud\n"
        "class LoudCarillon(vista.Object):\n    def ring(self): return loud()\n"
    )
    code = coded(source)
    assert [module.name for module in code.modules] == ["sounds_e"]


def test_a_module_that_a_peer_brought_goes_along(kernel: Kernel) -> None:
    source = "import vista\nclass FarCarillon(vista.Object): pass\nTEXT = 'far'\n"
    far = take_class(kernel, sent("FarCarillon", source)).cls
    code = coded("class NearCarillon(vista.Object):\n    far = far\n", far=far)
    assert [module.name for module in code.modules] == ["sent_e", "sent_e.own"]


def test_a_ref_that_it_refers_to_travels_as_its_id() -> None:
    with World(7) as world:
        node = world.node()
        other = node.call(vista.here)
        code = coded(
            "class RefCarillon(vista.Object):\n    def ring(self): return other", other=other
        )
        assert bytes(vista.id_of(other)) in code.pickled


def test_what_cannot_leave_its_process_is_refused_with_the_class() -> None:
    source = "class LockCarillon(vista.Object):\n    def ring(self): return lock\n"
    with pytest.raises(NotAValueError, match=r"class LockCarillon cannot travel.*lock"):
        coded(source, lock=threading.Lock())


def test_more_bytes_than_the_limit_are_refused() -> None:
    cls = typed(
        "class BulkCarillon(vista.Object):\n    def ring(self): return bulk\n", bulk="b" * 9000
    )
    with pytest.raises(BadValueError, match=r"limit code_bytes_max"):
        class_code(cls, Limits(code_bytes_max=9000))


def test_bytes_of_another_python_are_refused_unread(kernel: Kernel) -> None:
    code = coded("class PythonCarillon(vista.Object): pass")
    other = replace(code, python="3.2", digest=b"")
    with pytest.raises(RemoteProtocolError, match=r"another digest"):
        take_class(kernel, other)
    from vista.mobility.code import _pickle_digest

    other = replace(other, pickled=b"no pickle", digest=_pickle_digest("3.2", b"no pickle", {}))
    with pytest.raises(ClassDefinitionError, match=r"prompt of Python 3\.2"):
        take_class(kernel, other)


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\x80\x05]\x94.", b"\x80\x05K\x01."])
def test_bytes_that_hold_no_class_are_refused(kernel: Kernel, garbage: bytes) -> None:
    from vista.mobility.code import _pickle_digest

    code = coded("class GarbageCarillon(vista.Object): pass")
    digest = _pickle_digest(code.python, garbage, {})
    with pytest.raises(ClassDefinitionError, match=r"what came is no"):
        take_class(kernel, replace(code, pickled=garbage, digest=digest))
