"""Classes are name space, name and version; several versions live side by side."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import pytest

import vista
from vista import Object
from vista.kernel.methods import message_name
from vista.kernel.objects import ClassName

Item = TypeVar("Item")


def define(name: str, version: int, namespace: str = "Local") -> type[Object]:
    """Make a class that answers with its own version."""

    def answer(self: Object) -> int:
        return version

    body: dict[str, Any] = {"answer": answer, "__module__": __name__}
    return type(name, (Object,), body, namespace=namespace, version=version)  # type: ignore[call-overload, no-any-return]


class PlainBox(Object):
    """Keeps one thing."""

    def create(self, content: Any = None) -> None:
        self.content = content

    def get(self) -> Any:
        return self.content


pytestmark = pytest.mark.usefixtures("real_node")


# --- names -------------------------------------------------------------------------------------


def test_a_class_without_keywords_is_local_and_version_0() -> None:
    assert vista.class_of(vista.create(PlainBox)) == ClassName("Local", "PlainBox", 0)


def test_object_itself_is_version_1_of_standard_as_in_the_original() -> None:
    assert vista.class_of(vista.create(Object)) == ClassName("Standard", "Object", 1)


def test_a_class_is_created_by_bare_name() -> None:
    assert vista.create("PlainBox", 5).get() == 5


def test_a_class_is_created_by_name_space_and_name() -> None:
    assert vista.create("Local.PlainBox", 5).get() == 5


def test_a_class_is_created_by_the_three_parts_of_its_name() -> None:
    assert vista.create(("Local", "PlainBox", 0), 5).get() == 5
    assert vista.create(["Local", "PlainBox", 0], 6).get() == 6  # what a peer sends is a list


def test_a_class_is_created_by_what_class_of_returns() -> None:
    name = vista.class_of(vista.create(PlainBox))
    assert vista.class_of(vista.create(name)) == name


def test_a_class_defined_while_the_node_runs_is_found() -> None:
    vista.create(PlainBox)
    kept = define("LateArrival", 0)
    assert vista.create("LateArrival").answer() == 0
    assert kept.__name__ == "LateArrival"


def test_a_name_of_letters_outside_ascii_is_found() -> None:
    kept = define("Zähler", 3)
    assert vista.create("Zähler").answer() == 3
    assert kept.__name__ == "Zähler"


def test_a_name_is_found_in_any_unicode_form() -> None:
    # Python keeps identifiers in NFKC; a file name or a peer may bring "a" and a combining mark.
    kept = define("Zähler", 4)
    assert vista.create("Za\u0308hler").answer() == 4
    assert kept.__name__ == "Zähler"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("encodeObject", "encode_object"),
        ("encode_object", "encode_object"),
        ("addNotifyWhenModified", "add_notify_when_modified"),
        ("describe", "describe"),
        ("getID", "get_id"),
        ("selectForRead2", "select_for_read2"),
        ("step2Go", "step2_go"),
        ("zähleÄpfel", "zähle_äpfel"),
        ("za\u0308hle", "zähle"),
        ("größe", "größe"),
        ("x", "x"),
    ],
)
def test_camel_case_names_mean_the_message_in_snake_case(said: str, meant: str) -> None:
    assert message_name(said) == meant


# --- versions ----------------------------------------------------------------------------------


def test_a_bare_name_means_the_newest_version() -> None:
    kept = [define("Grower", 2), define("Grower", 10), define("Grower", 9)]
    assert vista.create("Grower").answer() == 10
    assert len(kept) == 3


def test_an_explicit_version_is_kept_to() -> None:
    kept = [define("Chosen", 1), define("Chosen", 2)]
    assert vista.create(("Local", "Chosen", 1)).answer() == 1
    assert len(kept) == 2


def test_a_version_of_none_means_the_newest_of_the_name_space() -> None:
    kept = [define("Newest", 1), define("Newest", 2), define("Newest", 3, "Elsewhere")]
    assert vista.create(("Local", "Newest", None)).answer() == 2
    assert len(kept) == 3


def test_a_bare_name_searches_every_name_space() -> None:
    kept = [define("Wanderer", 1), define("Wanderer", 5, "Elsewhere")]
    assert vista.class_of(vista.create("Wanderer")).namespace == "Elsewhere"
    assert len(kept) == 2


def test_between_name_spaces_of_one_version_the_local_class_wins() -> None:
    kept = [define("Rival", 1, "Aaa"), define("Rival", 1), define("Rival", 1, "Zzz")]
    assert vista.class_of(vista.create("Rival")).namespace == "Local"
    assert len(kept) == 3


def test_a_newer_class_changes_what_a_bare_name_means() -> None:
    kept = [define("Renewed", 0)]
    assert vista.create("Renewed").answer() == 0
    kept.append(define("Renewed", 1))
    assert vista.create("Renewed").answer() == 1


def test_objects_of_several_versions_live_side_by_side() -> None:
    classes = [define("Neighbour", version) for version in range(3)]
    made = [vista.create(cls) for cls in classes]
    assert [ref.answer() for ref in made] == [0, 1, 2]


def test_an_object_keeps_its_version_when_a_newer_class_comes() -> None:
    kept = [define("Steady", 0)]
    ref = vista.create("Steady")
    kept.append(define("Steady", 1))
    vista.create("Steady")
    assert ref.answer() == 0


def test_the_rows_of_classes_count_the_objects_of_each_version() -> None:
    kept = [define("Counted", 0), define("Counted", 1)]
    vista.create(kept[0])
    gone = vista.create(kept[1])
    vista.create(kept[1])
    vista.create(kept[1])
    vista.delete(gone)
    rows = {row.version: row.objects for row in vista.classes() if row.name == "Counted"}
    assert rows == {0: 1, 1: 2}


# --- a class defined again under the same name and version -------------------------------------


def test_a_class_defined_again_is_taken_for_objects_made_from_then_on() -> None:
    class Draft(Object):
        def text(self) -> str:
            return "first"

    first = vista.create("Draft")
    kept = Draft

    class Draft(Object):  # type: ignore[no-redef]
        def text(self) -> str:
            return "second"

    assert vista.create("Draft").text() == "second"
    assert first.text() == "first"
    assert kept is not Draft


def test_objects_of_a_class_defined_again_are_counted_all() -> None:
    kept = [define("Twice", 0)]
    vista.create(kept[0])
    kept.append(define("Twice", 0))
    vista.create(kept[1])
    assert vista.statistics()["objects_by_class"]["Local.Twice"] == 2


def test_statistics_never_go_back_when_a_class_is_defined_again() -> None:
    kept = [define("Again", 0)]
    ref = vista.create(kept[0])
    for _ in range(10):
        ref.answer()
    before = vista.statistics()["threads_started"]
    kept.append(define("Again", 0))
    vista.create("Again")
    assert vista.statistics()["threads_started"] >= before


# --- inheritance -------------------------------------------------------------------------------


class Shape(Object):
    def create(self, colour: str = "red", **others: Any) -> None:
        super().create(**others)
        self.colour = colour

    def paint(self) -> str:
        return self.colour


class Named(Object):
    def create(self, name: str = "it", **others: Any) -> None:
        super().create(**others)
        self.name = name

    def call(self) -> str:
        return self.name


class NamedShape(Shape, Named):
    def create(self, **others: Any) -> None:
        super().create(**others)
        self.ready = True

    def both(self) -> list[str]:
        return [self.paint(), self.call()]


def test_create_of_several_bases_cooperates() -> None:
    ref = vista.create(NamedShape, colour="blue", name="box")
    assert ref.extract_instance_variables() == {"colour": "blue", "name": "box", "ready": True}


def test_messages_of_every_base_are_answered() -> None:
    ref = vista.create(NamedShape, colour="blue", name="box")
    assert (ref.paint(), ref.call(), ref.both()) == ("blue", "box", ["blue", "box"])


def test_a_method_of_a_plain_mixin_is_a_message() -> None:
    class Loud:
        def shout(self) -> str:
            return "HO"

    class LoudShape(Loud, Shape):
        pass

    assert vista.create(LoudShape).shout() == "HO"


def test_an_override_hides_the_method_of_the_base() -> None:
    class Striped(Shape):
        def paint(self) -> str:
            return f"striped {super().paint()}"

    assert vista.create(Striped).paint() == "striped red"


def test_a_base_method_set_to_none_is_no_message() -> None:
    class Unpainted(Shape):
        paint = None  # type: ignore[assignment]

    with pytest.raises(vista.NoSuchMethod, match="paint"):
        vista.create(Unpainted).paint()


def test_the_marks_of_a_base_method_hold_in_the_derived_class() -> None:
    class Marked(Object):
        @vista.preemptable
        def peek(self) -> int:
            return 1

    class Derived(Marked):
        pass

    assert vista.create(Derived).methods()["peek"].flags == ("preemptable",)


def test_allomorphism_any_object_with_the_methods_will_do() -> None:
    class Duck(Object):
        def speak(self) -> str:
            return "quack"

    class Robot(Object):
        def speak(self) -> str:
            return "beep"

    class Listener(Object):
        def hear(self, who: Any) -> str:
            return str(who.speak())

    listener = vista.create(Listener)
    assert [listener.hear(vista.create(cls)) for cls in (Duck, Robot)] == ["quack", "beep"]


def test_a_derived_class_may_have_another_version_and_name_space() -> None:
    class Ancestor(Object, namespace="Old", version=7):
        pass

    class Descendant(Ancestor):
        pass

    assert vista.class_of(vista.create(Descendant)) == ClassName("Local", "Descendant", 0)


def test_a_version_may_inherit_from_the_version_before() -> None:
    first = define("Heir", 0)

    class Heir(first, version=1):  # type: ignore[valid-type, misc]
        def extra(self) -> str:
            return "more"

    ref = vista.create("Heir")
    assert (ref.answer(), ref.extra()) == (0, "more")
    assert vista.class_of(ref).version == 1
    assert Heir.__name__ == "Heir"


# --- unusual but legal classes -----------------------------------------------------------------


def test_a_class_with_slots_keeps_its_variables() -> None:
    class Slotted(Object):
        __slots__ = ("__secret", "x")

        def create(self) -> None:
            self.x = 1
            self.__secret = 2

    assert vista.create(Slotted).extract_instance_variables() == {"_Slotted__secret": 2, "x": 1}


def test_a_generic_class_is_an_object_class() -> None:
    class Crate(Object, Generic[Item]):
        def create(self, item: Item) -> None:
            self.item = item

        def get(self) -> Item:
            return self.item

    assert vista.create(Crate, 4).get() == 4


def test_a_metaclass_of_the_author_is_respected() -> None:
    class Meta(type):
        pass

    class Odd(Object, metaclass=Meta):
        def get(self) -> str:
            return type(type(self)).__name__

    assert vista.create("Odd").get() == "Meta"
    assert isinstance(Odd, Meta)


def test_properties_static_and_class_methods_are_no_messages() -> None:
    class Mixed(Object):
        @property
        def size(self) -> int:
            return 1

        @staticmethod
        def static() -> int:
            return 2

        @classmethod
        def of_class(cls) -> int:
            return 3

        def through(self) -> list[int]:
            return [self.size, self.static(), self.of_class()]

    ref = vista.create(Mixed)
    assert ref.through() == [1, 2, 3]
    assert not {"size", "static", "of_class"} & set(ref.methods())


def test_the_error_for_a_static_method_says_why_it_is_no_message() -> None:
    class Mixed(Object):
        @staticmethod
        def static() -> int:
            return 2

    with pytest.raises(vista.NoSuchMethod, match="static is a staticmethod"):
        vista.create(Mixed).static()


def test_an_async_create_is_awaited() -> None:
    class Slow(Object):
        async def create(self, value: int) -> None:
            await vista.aio.sleep(0)
            self.value = value

        def get(self) -> int:
            return self.value

    assert vista.create(Slow, 3).get() == 3


def test_a_native_create_runs_to_its_end() -> None:
    class Heavy(Object):
        @vista.native
        def create(self, value: int) -> None:
            self.value = value

        def get(self) -> int:
            return self.value

    assert vista.create(Heavy, 3).get() == 3


# --- create ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "kwargs"), [((1, 2), {}), ((), {"nothing": 1}), ((1,), {"content": 2})]
)
def test_create_with_wrong_arguments_names_the_hook(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with pytest.raises(TypeError, match=r"PlainBox\.create\(\)"):
        vista.create(PlainBox, *args, **kwargs)


def test_arguments_for_a_class_without_create_are_refused() -> None:
    class Bare(Object):
        pass

    with pytest.raises(TypeError, match=r"Bare\.create\(\) takes no arguments"):
        vista.create(Bare, 1)


def test_a_create_with_wrong_arguments_leaves_no_object() -> None:
    before = len(vista.objects())
    with pytest.raises(TypeError):
        vista.create(PlainBox, 1, 2)
    assert len(vista.objects()) == before


def test_an_argument_that_is_no_value_is_named() -> None:
    with pytest.raises(vista.NotAValueError, match=r"args\[0\]\[1\]: object is not a value"):
        vista.create(PlainBox, [1, object()])


def test_an_object_that_deletes_itself_in_create_is_gone_when_create_returns() -> None:
    class Fleeting(Object):
        def create(self) -> None:
            self.delete_yourself()

    before = len(vista.objects())
    ref = vista.create(Fleeting)
    assert len(vista.objects()) == before
    with pytest.raises(vista.ObjectDeleted):
        ref.describe()
