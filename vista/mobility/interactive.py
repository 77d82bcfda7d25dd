"""Classes without a source of their own: typed at a prompt, in a notebook, in a script that runs.

They travel as cloudpickle makes them, with the functions, classes and values they refer to. This is
the one module that pickles, and `unpickle_class` runs whatever the bytes say: it must be called
only for bytes of a peer that has the right to bring code.
"""

from __future__ import annotations

import io
import pickle
import sys
from types import FunctionType, ModuleType
from typing import Any, Final

import cloudpickle

from vista.errors import ClassDefinitionError, NotAValueError
from vista.ids import Id
from vista.kernel.current import kernel
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.limits import Limits
from vista.mobility.brought import Delivery, home_of
from vista.mobility.sources import ModuleCode, collect, find_source, is_own, reachable
from vista.records import BROUGHT, HOME_NAME, is_record

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
"""Which Python made the bytes: they hold its byte code, which no other one can run."""


def pickle_class(cls: type[Object], limits: Limits) -> tuple[bytes, dict[str, ModuleCode]]:
    """Return the bytes of an object class and of what it refers to, and the modules to go along.

    Raises `NotAValueError` when it refers to something that cannot leave its process.
    """
    file = io.BytesIO()
    module = sys.modules.get(cls.__module__)
    # What can be imported goes by its name, but for a module that has no source to import.
    by_value = module is not None and cls.__module__ != "__main__"
    if module is not None and by_value:
        cloudpickle.register_pickle_by_value(module)
    pickler = _Pickler(file, cls, limits)
    try:
        pickler.dump(cls)
    except (pickle.PicklingError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise NotAValueError(
            f"class {cls.__name__} cannot travel, as it refers to something that cannot: {error}"
        ) from error
    finally:
        if module is not None and by_value:
            cloudpickle.unregister_pickle_by_value(module)
    return file.getvalue(), pickler.modules


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, with Refs as the Ids they stand for, and a project's own modules by name.

    ``modules`` are those modules, with what they import.
    """

    def __init__(self, file: io.BytesIO, cls: type[Object], limits: Limits) -> None:
        super().__init__(file, protocol=5)
        self.modules: dict[str, ModuleCode] = {}
        self._home = cls.__module__
        self._limits = limits
        self._known: dict[str, str | None] = {self._home: None, "__main__": None}

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, ModuleType):
            name = self._sent(value.__name__)
            return None if name is None else (name, "")
        if isinstance(value, type | FunctionType) and "<" not in value.__qualname__:
            name = self._sent(value.__module__)
            return None if name is None else (name, value.__qualname__)
        return None

    def _sent(self, name: Any) -> str | None:
        """The name at home of a module that goes along, None for one that does not."""
        if type(name) is not str:
            return None
        if name not in self._known:
            self._known[name] = self._take_along(name)
        return self._known[name]

    def _take_along(self, name: str) -> str | None:
        brought = home_of(sys.modules.get(name))
        if brought is not None:
            home, modules = brought
            self.modules |= {at: modules[at] for at in reachable(home, modules)}
            return home
        code = find_source(name) if is_own(name, "") else None
        if code is None:
            return None
        self.modules |= collect(*self.modules.values(), code, limits=self._limits)
        return name

    def reducer_override(self, value: Any) -> Any:
        if type(value) is Ref:
            return _make_ref, (bytes(value._id),)
        return super().reducer_override(value)


def _make_ref(id: bytes) -> Ref:
    return kernel().ref(Id(id))


class _Unpickler(pickle.Unpickler):
    """Takes what `_Pickler` left out from the modules that came along."""

    def __init__(self, pickled: bytes, delivery: Delivery) -> None:
        super().__init__(io.BytesIO(pickled))
        self._delivery = delivery

    def persistent_load(self, place: Any) -> Any:
        name, qualname = place
        if name not in self._delivery.modules:
            raise pickle.UnpicklingError(f"module {name} did not come along")
        found: Any = self._delivery.view(name)
        for part in filter(None, qualname.split(".")):
            found = getattr(found, part)
        return found


def unpickle_class(pickled: bytes, delivery: Delivery) -> type[Object]:
    """Return the class that `pickle_class` made bytes of. It runs what the bytes say.

    ``delivery`` has the modules that came along.

    Raises `ClassDefinitionError` when the bytes hold no class.
    """
    try:
        found = _Unpickler(pickled, delivery).load()
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError, AttributeError) as error:
        raise ClassDefinitionError(f"what came is no class: {error}") from error
    if not (isinstance(found, type) and issubclass(found, Object)):
        raise ClassDefinitionError(f"what came is no object class but {found!r:.60}")
    _settle(found)
    return found


def _settle(cls: type[Object]) -> None:
    """Let records that came with a class be found by the names they have at home."""
    for value in [*_globals_of(cls)]:
        if isinstance(value, type) and (is_record(value) or issubclass(value, Exception)):
            home = value.__module__
            if home in sys.modules and home != "__main__":
                continue
            module = sys.modules.setdefault(BROUGHT + home, ModuleType(BROUGHT + home))
            vars(module)[HOME_NAME] = home
            vars(module)[value.__name__] = value


def _globals_of(cls: type[Object]) -> list[Any]:
    functions = [value for value in vars(cls).values() if isinstance(value, FunctionType)]
    return [value for one in functions for value in list(one.__globals__.values())]
