"""Classes go to another process, which has never heard of them, and come from there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

import vista
from tests.docs.transcripts import run_transcript
from tests.live.process import ROOT, Process
from tests.live.process import vista as run_vista

COIN = """
from dataclasses import dataclass
import vista

@vista.record
@dataclass
class Price:
    cents: int
"""
SHOP = {
    "__init__.py": "",
    "money.py": """
from dataclasses import dataclass
import enum
import vista

@vista.record
@dataclass
class Price:
    cents: int

@vista.record
class Kind(enum.Enum):
    CASH = 1

class TooDear(Exception):
    pass
""",
    "till.py": """
from __future__ import annotations
import os
import vista
from . import money

class TravelTill(vista.Object):
    def create(self) -> None:
        self.total = money.Price(0)

    def pay(self, price: money.Price, kind: money.Kind) -> money.Price:
        assert type(price) is money.Price and kind is money.Kind.CASH
        if price.cents > 100:
            raise money.TooDear("too dear", price)
        self.total = money.Price(self.total.cents + price.cents)
        return self.total

    def process(self) -> int:
        return os.getpid()

""",
    "stock.py": """
import vista
from travel_shop import money

class TravelStock(vista.Object):
    def create(self, count: int) -> None:
        self.count = money.Price(count)

    def get_count(self) -> money.Price:
        return self.count
""",
    # A module of its own for each of the classes below: no other class brings it before.
    "gold.py": COIN,
    "silver.py": COIN,
    "copper.py": COIN,
    "crate.py": """
import vista
from travel_shop.gold import Price

class TravelCrate(vista.Object):
    def create(self, worth: int) -> None:
        self.worth = Price(worth)
""",
    "cart.py": """
import os
import vista
from travel_shop.silver import Price

class TravelCart(vista.Object):
    def create(self, worth: int) -> None:
        self.worth = Price(worth)

    def get_worth(self) -> Price:
        return self.worth

    def process(self) -> int:
        return os.getpid()
""",
    "chest.py": """
import vista
from travel_shop.copper import Price

class TravelChest(vista.Object):
    def create(self, worth: int) -> None:
        self.worth = Price(worth)
""",
}

FAR = """
import vista

class FarOnly(vista.Object):
    def create(self, word: str) -> None:
        self.word = word

    def shout(self) -> str:
        return self.word.upper()
"""


@dataclass
class System:
    """Another process, the ObjectCreator of its node, and the modules of a shop that is here."""

    process: Process
    peer: vista.Ref
    money: ModuleType
    till: ModuleType
    stock: ModuleType


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The far node knows the classes of vista and one more; the near one those of a shop."""
    place = tmp_path_factory.mktemp("code", numbered=True)
    shop = place / "near" / "travel_shop"
    shop.mkdir(parents=True)
    for name, text in SHOP.items():
        (shop / name).write_text(text)
    (place / "far.py").write_text(FAR)
    (place / "far.rc").write_text(f"LoadClassFile far.py\nAcceptPeerConnections ipc:{place}/far\n")
    with pytest.MonkeyPatch.context() as patch:
        (place / "keys").mkdir(mode=0o700)
        patch.setenv("VISTA_CONFIG_DIR", str(place / "keys"))
        patch.syspath_prepend(str(shop.parent))
        place.chmod(0o700)
        with run_vista("far.rc", directory=place) as process, vista.Node():
            process.expect("peers may connect")
            peer = vista.connect(f"ipc:{place}/far")
            from travel_shop import money, stock, till  # type: ignore[import-not-found]

            yield System(process, peer, money, till, stock)


def test_an_object_is_created_where_its_class_was_unknown(system: System) -> None:
    made = vista.create(system.till.TravelTill, at=system.peer)
    assert made.process() == system.process.process.pid


def test_a_class_is_found_by_its_name_too(system: System) -> None:
    assert vista.create("TravelStock", 3, at=system.peer).get_count() == system.money.Price(3)


def test_records_of_its_modules_go_both_ways(system: System) -> None:
    made = vista.create(system.till.TravelTill, at=system.peer)
    price = made.pay(system.money.Price(5), system.money.Kind.CASH)
    assert type(price) is system.money.Price and price.cents == 5


def test_exceptions_of_its_modules_come_back_as_themselves(system: System) -> None:
    made = vista.create(system.till.TravelTill, at=system.peer)
    with pytest.raises(system.money.TooDear) as caught:
        made.pay(system.money.Price(500), system.money.Kind.CASH)
    assert caught.value.args == ("too dear", system.money.Price(500))
    assert 'raise money.TooDear("too dear", price)' in caught.value.remote_traceback


def test_an_encoded_object_brings_its_class(system: System) -> None:
    from travel_shop.crate import TravelCrate  # type: ignore[import-not-found]

    own = vista.create(TravelCrate, 7)
    system.peer.import_object(vista.encode_object(own))
    there = [row for row in vista.objects(at=system.peer) if row.class_name == "Local.TravelCrate"]
    assert [row.id for row in there] == [vista.id_of(own)]


def test_an_object_that_moves_brings_its_class(system: System) -> None:
    from travel_shop import silver  # type: ignore[attr-defined]
    from travel_shop.cart import TravelCart  # type: ignore[import-not-found]

    cart = vista.create(TravelCart, 9)
    vista.move(cart, system.peer)
    assert cart.process() == system.process.process.pid
    assert cart.get_worth() == silver.Price(9)


def test_a_copy_brings_its_class(system: System) -> None:
    from travel_shop.chest import TravelChest  # type: ignore[import-not-found]

    own = vista.create(TravelChest, 7)
    assert vista.copy(own, system.peer) == own
    there = [row for row in vista.objects(at=system.peer) if row.class_name == "Local.TravelChest"]
    assert [row.id for row in there] == [vista.id_of(own)]


def typed(name: str, source: str, **variables: Any) -> Any:
    """A class as a prompt defines it."""
    module = ModuleType("__main__")
    vars(module).update(variables, vista=vista)
    exec(source, vars(module))
    return vars(module)[name]


def test_a_class_typed_at_a_prompt_goes_along(system: System) -> None:
    source = """
import os
from dataclasses import dataclass
from travel_shop.money import Price
class TypedClass(vista.Object):
    def where(self): return os.getpid()
    def price(self, price): return Price(price.cents * factor)
    def ask(self): return near.get_count()
"""
    near = vista.create("TravelStock", 8)
    cls = typed("TypedClass", source, factor=2, near=near)
    made = vista.create(cls, at=system.peer)
    assert made.where() == system.process.process.pid
    assert made.price(system.money.Price(4)) == system.money.Price(8)
    assert made.ask() == system.money.Price(8)


def test_a_record_typed_at_a_prompt_goes_both_ways(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
from dataclasses import dataclass
@vista.record
@dataclass
class TypedPair:
    left: int
    right: int
class PairClass(vista.Object):
    def swap(self, pair):
        assert type(pair) is TypedPair
        return TypedPair(pair.right, pair.left)
"""
    cls = typed("PairClass", source)
    space = cls.swap.__globals__
    module = ModuleType("__main__")
    vars(module).update(space)
    monkeypatch.setitem(sys.modules, "__main__", module)
    pair = space["TypedPair"]
    assert vista.create(cls, at=system.peer).swap(pair(1, 2)) == pair(2, 1)


def test_a_newer_version_lives_beside_the_older_one(system: System) -> None:
    source = "class AgedClass(vista.Object, version={0}):\n    def age(self): return {0}\n"
    made = [
        vista.create(typed("AgedClass", source.format(version)), at=system.peer)
        for version in (1, 2)
    ]
    assert [one.age() for one in made] == [1, 2]
    assert vista.create("AgedClass", at=system.peer).age() == 2


def test_an_unknown_class_is_unknown_as_before(system: System) -> None:
    with pytest.raises(vista.NoSuchClass, match=r'no class "NowhereClass"'):
        vista.create("NowhereClass", at=system.peer)


def test_what_create_itself_lacks_brings_nothing(system: System) -> None:
    source = """
class LackingClass(vista.Object):
    def create(self, log):
        log.append(1)
        vista.create("TravelNobody")
"""
    log = vista.create("TravelLog")
    cls = typed("LackingClass", source)
    for count in (1, 2):
        with pytest.raises(vista.NoSuchClass, match=r"TravelNobody"):
            vista.create(cls, log, at=system.peer)
        assert log.count() == count


class TravelLog(vista.Object):
    """Counts what it is told."""

    def create(self) -> None:
        self.items: list[Any] = []

    def append(self, item: Any) -> None:
        self.items.append(item)

    def count(self) -> int:
        return len(self.items)


@pytest.fixture
def loader(system: System) -> Iterator[vista.Ref]:
    """A loader that asks the peers."""
    made = vista.create("AutomaticClassLoader", "peers:")
    yield made
    vista.delete(made)


def test_a_class_is_fetched_from_a_peer(system: System, loader: vista.Ref) -> None:
    assert vista.create("FarOnly", "word").shout() == "WORD"


def test_a_near_miss_at_a_peer_is_named(system: System, loader: vista.Ref) -> None:
    with pytest.raises(vista.NoSuchClass, match=r"did you mean FarOnly\?"):
        vista.create("FarOnyl")


def test_nothing_of_it_can_be_imported_there(system: System) -> None:
    source = """
class ImportingClass(vista.Object):
    def try_it(self):
        import importlib
        return importlib.import_module("travel_shop.money").__name__
"""
    vista.create(system.till.TravelTill, at=system.peer)
    made = vista.create(typed("ImportingClass", source), at=system.peer)
    with pytest.raises(ModuleNotFoundError):
        made.try_it()


def test_the_page_on_code_shows_what_happens(system: System) -> None:
    text = (ROOT / "docs" / "code.rst").read_text("utf-8")
    names = {"__name__": "__main__", "vista": vista, "peer": system.peer}
    assert run_transcript(text, names, "code.rst") == []


def test_the_far_node_is_another_process(system: System) -> None:
    assert system.process.process.pid != os.getpid()
    assert "travel_shop.money" in sys.modules
