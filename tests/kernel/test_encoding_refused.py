"""What cannot be encoded, and imports that are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vista
from tests.kernel.cast import Gate, until
from tests.kernel.test_encoding import Chest, altered
from vista import BadValueError, NoSuchClass, NotAValueError, Object, RemoteProtocolError
from vista.ids import ID_BYTES
from vista.kernel.encoding import head_of_encoding

pytestmark = pytest.mark.usefixtures("real_node")


@vista.record
@dataclass
class Unknown:
    """A record that is taken away."""

    number: int = 1


# --- what cannot be encoded --------------------------------------------------------------------


def test_a_variable_that_is_no_value_is_named_by_its_path() -> None:
    chest = vista.create(Chest)
    chest.open_socket()
    with pytest.raises(NotAValueError, match=r'Chest\["drawer"\]\["top"\]\[1\]: object is not a v'):
        chest.encode_object()


def test_the_error_names_the_object() -> None:
    chest = vista.create(Chest)
    chest.open_socket()
    with pytest.raises(NotAValueError, match=f"Local.Chest {vista.id_of(chest)} cannot be enc"):
        chest.encode_object()


def test_an_object_that_cannot_be_encoded_goes_on() -> None:
    chest = vista.create(Chest, x=1)
    chest.open_socket()
    with pytest.raises(NotAValueError):
        chest.encode_object()
    assert chest.get("x") == 1


def test_an_object_is_encoded_in_its_turn() -> None:
    # Half of a change must not be encoded: encode_object waits for the thread that is active.
    class Exchanging(Object):
        def create(self) -> None:
            self.left, self.right = 1, 0

        @vista.exclusive
        def exchange(self, gate: Any) -> None:
            self.left -= 1
            gate.pass_through()
            self.right += 1

    gate, exchanging = vista.create(Gate), vista.create(Exchanging)
    running = exchanging.exchange.future(gate)
    until(lambda: gate.count() == 1)
    encoding = exchanging.encode_object.future()
    assert not encoding.done()
    gate.open()
    running.result()
    data = encoding.result()
    vista.delete(exchanging)
    again = vista.import_object(data)
    assert again.extract_instance_variables() == {"left": 0, "right": 1}


# --- imports that are refused ------------------------------------------------------------------


def test_an_import_where_the_id_is_taken_is_refused() -> None:
    chest = vista.create(Chest, x=1)
    data = chest.encode_object()
    chest.put("x", 2)
    with pytest.raises(BadValueError, match=f"object {vista.id_of(chest)} is here already"):
        vista.import_object(data)
    assert chest.get("x") == 2


def test_an_unknown_class_is_refused_with_near_misses() -> None:
    chest = vista.create(Chest)
    data = altered(chest, name="Chets", id=bytes(ID_BYTES))
    with pytest.raises(NoSuchClass, match="did you mean Chest"):
        vista.import_object(data)


def test_an_unknown_version_is_refused() -> None:
    data = altered(vista.create(Chest), version=9, id=bytes(ID_BYTES))
    with pytest.raises(NoSuchClass, match="its versions here are"):
        vista.import_object(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"format": "1"},
        {"namespace": 5},
        {"name": b"Chest"},
        {"version": "3"},
        {"version": True},
        {"id": b"short"},
        {"id": "x" * ID_BYTES},
        {"state": [1, 2]},
        {"state": {1: 2}},
        {"state": {"__class__": 1}},
        {"state": {"__dict__": {}}},
        {"state": {"_record": 1}},
    ],
)
def test_other_parts_than_an_encoding_has_are_refused(changes: dict[str, Any]) -> None:
    chest = vista.create(Chest)
    data = altered(chest, **{"id": bytes(ID_BYTES), **changes})
    with pytest.raises(RemoteProtocolError, match="not an encoded object"):
        vista.import_object(data)
    if "state" not in changes:
        with pytest.raises(RemoteProtocolError, match="not an encoded object"):
            head_of_encoding(chest._record.kernel, data)


def test_the_class_is_found_before_records_that_are_not_known() -> None:
    data = altered(vista.create(Chest, x=Unknown()), name="Chets", id=bytes(ID_BYTES))
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(f"{__name__}.Unknown")
        with pytest.raises(NoSuchClass, match="did you mean Chest"):
            vista.import_object(data)


def test_an_object_with_records_that_its_class_does_not_bring_is_refused() -> None:
    data = altered(vista.create(Chest, x=Unknown()), id=bytes(ID_BYTES))
    before = len(vista.objects())
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(f"{__name__}.Unknown")
        with pytest.raises(RemoteProtocolError, match=r"no record .*Unknown is known here; load"):
            vista.import_object(data)
    assert len(vista.objects()) == before


def test_a_value_that_is_no_encoding_is_refused() -> None:
    codec = vista.create(Chest)._record.kernel.codec
    for value in ([], [1], {"a": 1}, "text", None, [1, 2, 3, 4, 5, 6, 7]):
        with pytest.raises(RemoteProtocolError):
            vista.import_object(codec.encode(value))


@pytest.mark.parametrize("data", ["text", 5, None, [1]])
def test_what_is_not_bytes_is_refused(data: Any) -> None:
    with pytest.raises(BadValueError, match="an encoded object is bytes"):
        vista.import_object(data)


def test_a_variable_for_which_a_class_has_no_place_is_refused_and_leaves_nothing() -> None:
    class Narrow(Object):
        __slots__ = ("x",)

        def create(self) -> None:
            self.x = 1

    data = altered(vista.create(Narrow), state={"x": 1, "y": 2}, id=bytes(ID_BYTES))
    before = len(vista.objects())
    with pytest.raises(RemoteProtocolError, match="no place for variable 'y'"):
        vista.import_object(data)
    assert len(vista.objects()) == before


def test_an_import_runs_no_property_of_the_class() -> None:
    data = altered(vista.create(Chest), state={"trap": 5}, id=bytes(ID_BYTES))
    assert vista.import_object(data).extract_instance_variables() == {"trap": 5}


def test_an_import_runs_no_setattr_of_the_class() -> None:
    class Strict(Object):
        __slots__ = ("__dict__", "x")

        def __setattr__(self, name: str, value: Any) -> None:
            if name != "_record":
                raise RuntimeError(f"{name} set")
            super().__setattr__(name, value)

    data = altered(vista.create(Strict), state={"x": 1, "y": 2}, id=bytes(ID_BYTES))
    assert vista.import_object(data).extract_instance_variables() == {"x": 1, "y": 2}


def test_a_variable_with_the_name_of_a_method_does_not_take_its_place() -> None:
    data = altered(vista.create(Chest), state={"get": 5, "x": 1}, id=bytes(ID_BYTES))
    assert vista.import_object(data).get("x") == 1


def test_an_abstract_class_cannot_be_imported() -> None:
    class Idea(Object, abstract=True):
        pass

    data = altered(vista.create(Chest), name="Idea", version=0, id=bytes(ID_BYTES))
    with pytest.raises(NoSuchClass):
        vista.import_object(data)
    assert Idea.__name__ == "Idea"


def test_every_cut_of_an_encoding_is_refused() -> None:
    chest = vista.create(Chest, x=[1, "two"], y={"a": {1, 2}})
    data = chest.encode_object()
    vista.delete(chest)
    for length in range(len(data)):
        with pytest.raises(RemoteProtocolError):
            vista.import_object(data[:length])
    assert vista.import_object(data).get("x") == [1, "two"]


@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_an_encoding_with_one_byte_changed_gives_an_object_or_a_named_error(
    at: int, byte: int
) -> None:
    chest = vista.create(Chest, x=[1, "two"], y={"a": {1, 2}})
    data = bytearray(chest.encode_object())
    vista.delete(chest)
    data[at % len(data)] = byte
    before = len(vista.objects())
    try:
        came = [vista.import_object(bytes(data))]
    except (RemoteProtocolError, NoSuchClass, BadValueError):
        came = []
    assert len(vista.objects()) - before == len(came)
    for ref in came:
        vista.delete(ref)


@given(data=st.binary(max_size=200))
def test_any_bytes_give_an_object_or_a_named_error(data: bytes) -> None:
    with pytest.raises((RemoteProtocolError, NoSuchClass)):
        vista.import_object(data)
