"""Objects tell what they are: class_of, methods, describe, their variables."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from tests.kernel.cast import Gate, until
from vista import BadValueError, Object
from vista.kernel.objects import ClassName

pytestmark = pytest.mark.usefixtures("node")

EVERY_OBJECT_ANSWERS = (
    "add_notify_when_modified",
    "class_of",
    "delete_yourself",
    "describe",
    "describe_instance_variables",
    "encode_object",
    "extract_instance_variables",
    "get_acl",
    "handle_exception",
    "methods",
    "remove_notify_when_modified",
    "set_acl",
    "set_meta",
    "upgrade",
)


class Lantern(Object, namespace="Local", version=3):
    """A lamp.

    It has more to say below.
    """

    def create(self, watts: int = 60, *, colour: str = "white") -> None:
        self.watts = watts
        self.colour = colour
        self.history: list[int] = []
        self.lock = object()

    def dim(self, by: int, *, slowly: bool = False) -> int:
        """Make it darker."""
        self.watts -= by
        self.history.append(by)
        return self.watts

    @vista.exclusive
    def clean(self) -> None:
        """Clean it."""

    @vista.native
    def measure(self) -> float:
        """Measure it."""
        return 1.0

    @vista.preemptable
    async def watch(self) -> None:
        """Watch it."""

    def wait_at(self, gate: Any) -> None:
        gate.pass_through()

    def describe_twice(self) -> list[Any]:
        return [self.describe()["class"], vista.send(self, "describe")["class"]]


# --- class_of ----------------------------------------------------------------------------------


def test_class_of_gives_name_space_name_and_version() -> None:
    lamp = vista.create(Lantern)
    assert lamp.class_of() == vista.class_of(lamp) == ClassName("Local", "Lantern", 3)


def test_class_of_takes_an_id_and_a_service_name() -> None:
    lamp = vista.create(Lantern)
    vista.register_service("lamp", lamp)
    assert vista.class_of(vista.id_of(lamp)) == vista.class_of("lamp") == lamp.class_of()


def test_a_class_name_reads_as_text() -> None:
    assert str(vista.class_of(vista.create(Lantern))) == "Local.Lantern version 3"


# --- methods -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY_OBJECT_ANSWERS)
def test_every_object_answers(name: str) -> None:
    assert vista.create(Object).methods()[name].doc


def test_methods_are_listed_with_signature_and_docstring() -> None:
    row = vista.create(Lantern).methods()["dim"]
    assert row.signature == "(by: int, *, slowly: bool = False) -> int"
    assert row.doc == "Make it darker."


def test_methods_are_listed_with_their_marks() -> None:
    methods = vista.create(Lantern).methods()
    marks = {name: methods[name].flags for name in ("dim", "clean", "measure", "watch")}
    assert marks == {
        "dim": (),
        "clean": ("exclusive",),
        "measure": ("native",),
        "watch": ("preemptable", "async"),
    }


def test_hooks_are_not_listed_among_the_methods() -> None:
    assert not {"create", "delete"} & set(vista.create(Lantern).methods())


def test_methods_are_listed_in_alphabetical_order() -> None:
    names = list(vista.create(Lantern).methods())
    assert names == sorted(names)


def test_a_ref_completes_its_messages() -> None:
    lamp = vista.create(Lantern)
    assert dir(lamp) == list(lamp.methods())


def test_a_function_of_a_ref_carries_name_and_docstring() -> None:
    dim = vista.create(Lantern).dim
    assert (dim.__name__, dim.__doc__) == ("dim", "Make it darker.")


# --- describe ----------------------------------------------------------------------------------


def test_describe_says_what_the_object_is() -> None:
    lamp = vista.create(Lantern)
    vista.register_service("lamp/1", lamp)
    described = lamp.describe()
    assert described["id"] == vista.id_of(lamp)
    assert described["class"] == ClassName("Local", "Lantern", 3)
    assert described["doc"].startswith("A lamp.")
    assert described["services"] == ["lamp/1"]
    assert "dim" in described["methods"]


def test_describe_names_the_base_classes_nearest_first() -> None:
    class Middle(Lantern):
        pass

    class Bottom(Middle):
        pass

    assert vista.create(Bottom).describe()["bases"] == ["Middle", "Lantern", "Object"]


def test_describe_tells_watchers_and_access_list() -> None:
    acl = vista.AccessControlList.of("allow * *")
    lamp, watcher = vista.create(Lantern, acl=acl), vista.create(Object)
    lamp.add_notify_when_modified(watcher, "some service")
    described = lamp.describe()
    assert described["acl"] == acl
    assert described["watchers"] == [vista.id_of(watcher), "some service"]


def test_describe_tells_the_meta_object() -> None:
    class Through(Object):
        def forward_method_invocation(
            self, target: Any, name: str, args: list[Any], sender: Any
        ) -> Any:
            return vista.send(target, name, *args)

    lamp, meta = vista.create(Lantern), vista.create(Through)
    assert lamp.describe()["meta"] is None
    lamp.set_meta(meta)
    assert lamp.describe()["meta"] == vista.id_of(meta)


def test_an_object_may_describe_itself_from_inside() -> None:
    name = ClassName("Local", "Lantern", 3)
    assert vista.create(Lantern).describe_twice() == [name, name]


def test_a_busy_object_can_be_looked_at() -> None:
    # Looking is preemptable: whoever asks why an object hangs must get an answer.
    class Stuck(Object):
        @vista.exclusive
        def hold(self, gate: Any) -> None:
            gate.pass_through()

    gate, stuck = vista.create(Gate), vista.create(Stuck)
    holding = stuck.hold.future(gate)
    until(lambda: gate.count() == 1)
    assert stuck.describe()["class"].name == "Stuck"
    assert stuck.class_of().name == "Stuck"
    assert "hold" in stuck.methods()
    assert stuck.extract_instance_variables() == {}
    assert stuck.describe_instance_variables() == {}
    assert stuck.get_acl() is None
    gate.open()
    holding.result()


# --- variables ---------------------------------------------------------------------------------


def test_describe_instance_variables_gives_the_types() -> None:
    assert vista.create(Lantern).describe_instance_variables() == {
        "colour": "str",
        "history": "list",
        "lock": "object",
        "watts": "int",
    }


def test_extract_gives_the_variables_named() -> None:
    lamp = vista.create(Lantern, 40)
    lamp.dim(10)
    assert lamp.extract_instance_variables("watts", "history") == {"watts": 30, "history": [10]}


def test_extract_gives_every_variable_when_none_is_named() -> None:
    assert list(vista.create(Lantern).extract_instance_variables()) == [
        "colour",
        "history",
        "lock",
        "watts",
    ]


def test_what_is_no_value_stands_as_its_text() -> None:
    found = vista.create(Lantern).extract_instance_variables("lock")
    assert found["lock"].startswith("<object object at")


def test_extract_gives_copies() -> None:
    lamp = vista.create(Lantern)
    lamp.extract_instance_variables()["history"].append(99)
    assert lamp.extract_instance_variables("history") == {"history": []}


def test_an_unknown_variable_names_those_there_are() -> None:
    with pytest.raises(BadValueError, match="'volts'; there are colour, history, lock, watts"):
        vista.create(Lantern).extract_instance_variables("volts")


def test_an_unknown_variable_of_an_object_without_any() -> None:
    with pytest.raises(BadValueError, match="there are none"):
        vista.create(Object).extract_instance_variables("x")


def test_a_slot_that_was_never_set_is_no_variable() -> None:
    class Sparse(Object):
        __slots__ = ("a", "b")

        def create(self) -> None:
            self.a = 1

    assert vista.create(Sparse).describe_instance_variables() == {"a": "int"}


def test_variables_are_listed_without_running_code_of_the_class() -> None:
    class Eager(Object):
        __slots__ = ("a",)

        def create(self) -> None:
            pass

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"asked for {name}")

        @property
        def trap(self) -> Any:
            raise RuntimeError("asked")

    assert vista.create(Eager).describe_instance_variables() == {}


def test_an_object_among_the_variables_stands_as_its_ref() -> None:
    class Holder(Object):
        def create(self) -> None:
            self.me = self

    holder = vista.create(Holder)
    assert holder.extract_instance_variables() == {"me": holder}


# --- rows --------------------------------------------------------------------------------------


def test_the_row_of_an_object() -> None:
    lamp = vista.create(Lantern)
    vista.register_service("lamp/a", lamp)
    [row] = [row for row in vista.objects() if row.id == vista.id_of(lamp)]
    assert (row.class_name, row.services, row.threads) == ("Local.Lantern", ("lamp/a",), 0)


def test_the_row_of_an_object_counts_threads_and_waiting_messages() -> None:
    class Slow(Object):
        @vista.exclusive
        def hold(self, gate: Any) -> None:
            gate.pass_through()

        def note(self) -> None:
            pass

    gate, slow = vista.create(Gate), vista.create(Slow)
    holding = slow.hold.future(gate)
    until(lambda: gate.count() == 1)
    for _ in range(3):
        slow.note.post()
    [row] = [row for row in vista.objects() if row.id == vista.id_of(slow)]
    assert (row.threads, row.messages_queued) == (1, 3)
    gate.open()
    holding.result()


def test_the_row_of_a_class() -> None:
    vista.create(Lantern)
    [row] = [row for row in vista.classes() if row.name == "Lantern"]
    assert (row.namespace, row.version, row.objects) == ("Local", 3, 1)
    assert (row.module, row.summary) == (__name__, "A lamp.")


def test_the_row_of_a_service() -> None:
    lamp = vista.create(Lantern)
    vista.register_service("lamp/z", lamp)
    [row] = [row for row in vista.services() if row.name == "lamp/z"]
    assert (row.object, row.class_name) == (vista.id_of(lamp), "Local.Lantern")


def test_rows_can_be_sent() -> None:
    class Lister(Object):
        def rows(self) -> Any:
            return [vista.classes(), vista.objects(), vista.services(), vista.threads()]

    assert all(isinstance(rows, list) for rows in vista.create(Lister).rows())


# --- what the functions of vista give from inside of a method ----------------------------------


def test_a_method_can_look_at_its_own_object() -> None:
    class Mirror(Object):
        def look(self) -> list[Any]:
            me = vista.self_ref(self)
            return [me, vista.id_of(self), vista.class_of(self).name, vista.ref_of(self)]

    mirror = vista.create(Mirror)
    assert mirror.look() == [mirror, vista.id_of(mirror), "Mirror", mirror]


def test_an_object_reads_from_inside_as_class_and_id() -> None:
    class Reader(Object):
        def text(self) -> str:
            return repr(self)

    reader = vista.create(Reader)
    assert reader.text() == f"<Reader {vista.id_of(reader)}, from inside>"
