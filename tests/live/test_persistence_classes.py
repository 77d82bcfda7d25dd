"""Objects of class files come back in another process, with the records that the files define."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.live.process import vista

PURSE = """
from dataclasses import dataclass

import vista

@vista.record
@dataclass
class Coin:
    cents: int

class Purse(vista.PersistentObject):
    def create(self):
        self.coins = [Coin(5)]
        vista.register_service("Purse", self)
        self.initialize(durable=True)

    def tell(self):
        return [repr(coin) for coin in self.coins]
"""
TELLER = """
import vista

class Teller(vista.Object):
    def create(self):
        try:
            print("told", *vista.send("Purse", "tell"), flush=True)
        except vista.VistaError as error:
            print("refused", error, flush=True)
"""
COLOURED = PURSE.replace("cents: int", 'cents: int\n    colour: str = "red"')
SMALLER = PURSE.replace("class Coin:\n    cents: int", "class Coin:\n    worth: int = 1")
GONE = "import vista\nclass Purse(vista.Object):\n    pass\n"


def tell(place: Path, text: str, *lines: str) -> str:
    """Run a node whose class file has this text, and return what its Teller says."""
    (place / "classes").mkdir(exist_ok=True)
    (place / "classes" / "purse.py").write_text(text)
    (place / "classes" / "teller.py").write_text(TELLER)
    boot = ("AutomaticClassLoader classes", "PersistenceService", *lines, "Teller")
    (place / "purse.rc").write_text("\n".join([*boot, ""]))
    with vista("--state", "state", "purse.rc", directory=place) as node:
        node.expect("Coin")
        node.signal(signal.SIGTERM)
        assert node.end() == 0
        return node.output[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PURSE, "told Coin(cents=5)"),
        (PURSE + "# another state of the file\n", "told Coin(cents=5)"),
        (COLOURED, "told Coin(cents=5, colour='red')"),
    ],
    ids=["same", "changed", "field-more"],
)
def test_records_of_a_class_file_come_back_with_its_objects(
    tmp_path: Path, text: str, told: str
) -> None:
    assert tell(tmp_path, PURSE, "Purse") == "told Coin(cents=5)"
    assert tell(tmp_path, text) == told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (SMALLER, "came with a field it does not have here"),
        (GONE, "load the module or class file that has it"),
    ],
    ids=["other-field", "no-record"],
)
def test_an_object_whose_records_do_not_fit_waits_in_its_store(
    tmp_path: Path, text: str, why: str
) -> None:
    tell(tmp_path, PURSE, "Purse")
    told = tell(tmp_path, text)
    assert told.startswith("refused") and why in told
    assert tell(tmp_path, PURSE) == "told Coin(cents=5)"
