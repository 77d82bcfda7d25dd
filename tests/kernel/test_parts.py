"""Lists of a node's objects, threads and services, part by part, and what it tells of a class."""

from __future__ import annotations

from typing import Any

import pytest

import vista
from vista import BadValueError, NoSuchClass


class PartsHeron(vista.Object):
    """Stands still.

    For hours.
    """

    def create(self, place: int = 0) -> None:
        self.place = place
        self.catch = list(range(1000))

    @vista.preemptable
    def stand(self, seconds: float) -> None:
        """Stand for so long."""
        vista.sleep(seconds)


class PartsStork(PartsHeron):
    """Stands on one leg."""


@pytest.fixture
def creator(node: vista.Node) -> vista.Ref:
    """The ObjectCreator of a node with seven herons and two storks."""
    for place in range(7):
        vista.create(PartsHeron, place)
    for place in range(2):
        vista.create(PartsStork, place)
    return vista.here()


def names(rows: list[Any]) -> list[str]:
    """The classes of rows."""
    return [row.class_name for row in rows]


def test_a_part_is_a_slice_of_the_whole(creator: vista.Ref) -> None:
    every = creator.list_objects()
    assert creator.list_objects("*", 2, 3) == every[2:5]
    assert creator.list_objects("*", 8, 100) == every[8:]
    assert creator.list_objects("*", 1000, 5) == []


def test_objects_are_chosen_by_the_names_of_their_classes(creator: vista.Ref) -> None:
    assert names(creator.list_objects("Local.PartsHeron")) == ["Local.PartsHeron"] * 7
    assert names(creator.list_objects("*Stork")) == ["Local.PartsStork"] * 2
    assert creator.list_objects("PartsStork") == []
    assert len(creator.list_objects("Local.Parts*", 6, 2)) == 2


def test_one_object_is_found_by_its_id(creator: vista.Ref) -> None:
    row = creator.list_objects("*Stork")[1]
    assert creator.find_object(row.id) == row
    vista.delete(row.id)
    assert creator.find_object(row.id) is None


def test_threads_are_chosen_by_their_object(creator: vista.Ref) -> None:
    first, second = (vista.create(PartsHeron) for _ in range(2))
    for heron, number in ((first, 3), (second, 1)):
        for _ in range(number):
            heron.stand.post(3600.0)
    assert creator.find_object(vista.id_of(second)).threads == 1
    rows = creator.list_threads(vista.id_of(first))
    assert [row.method for row in rows] == ["stand"] * 3
    assert [row.id for row in creator.list_threads(vista.id_of(first), 1, 1)] == [rows[1].id]
    for heron in (first, second):
        vista.delete(heron)  # and its threads with it


def test_services_come_in_parts(creator: vista.Ref) -> None:
    for name in "abcd":
        vista.register_service(f"Parts/{name}", creator)
    every = [row.name for row in creator.list_services()]
    assert [row.name for row in creator.list_services(1, 2)] == every[1:3]


@pytest.mark.parametrize(("first", "most"), [(-1, 5), (0, -1)])
def test_rows_are_counted_from_0(creator: vista.Ref, first: int, most: int) -> None:
    with pytest.raises(BadValueError, match=r"rows are counted from 0"):
        creator.list_objects("*", first, most)


def test_a_class_is_described(creator: vista.Ref) -> None:
    told = creator.describe_class("PartsStork")
    assert str(told["class"]) == "Local.PartsStork version 0"
    assert told["doc"] == "Stands on one leg."
    assert told["bases"] == ["PartsHeron", "Object"]
    assert told["signature"] == "(place: int = 0) -> None"
    assert told["methods"]["stand"].doc == "Stand for so long."
    assert told["methods"]["stand"].flags == ("preemptable",)


def test_a_class_that_is_unknown_is_not_looked_for(creator: vista.Ref) -> None:
    with pytest.raises(NoSuchClass):
        creator.describe_class(["Local", "PartsEgret", 0])


def test_variables_come_as_texts_of_bounded_length(creator: vista.Ref) -> None:
    heron = vista.create(PartsHeron, 5)
    told = heron.extract_instance_variables(outline_characters_max=20)
    assert told["place"] == "5"
    assert len(told["catch"]) == 21
    assert heron.extract_instance_variables("place", outline_characters_max=20) == {"place": "5"}
    assert heron.extract_instance_variables("place") == {"place": 5}
