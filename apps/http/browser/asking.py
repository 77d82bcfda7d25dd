"""What the pages show, asked of the nodes by the messages that everybody may send.

Three rules. Everything is asked in parts of bounded size. Nothing is waited for longer than a page
may take: a node or an object that does not answer has its trouble in words in the place of what it
would have told. And neither an object nor a node is believed: a class may have a ``describe`` of
its own, and a machine may lie, so what comes back is looked at before it is used, down to its
figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import vista
from apps.http.browser.bounds import (
    ANSWER_SECONDS,
    NODES_MAX,
    ROWS_MAX,
    VALUE_CHARACTERS_MAX,
    VARIABLES_MAX,
)

Kind = TypeVar("Kind")

_FIGURE_MAX = 1e18
"""No figure of a node is as large: it can be written, whichever way it is."""


class GoneError(Exception):
    """What a page is about is not there; the text says what."""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node as it told of itself: ``id`` is that of its ObjectCreator.

    ``statistics`` are as `vista.statistics` has them, ``peers`` the nodes it reaches. With
    ``trouble`` it did not tell, and there are none.
    """

    id: vista.Id
    name: str = ""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    peers: tuple[vista.PeerRow, ...] = ()
    trouble: str = ""

    @property
    def text(self) -> str:
        """The identity of the node in text form, which the Ids made there begin with."""
        return node_of(self.id)

    @property
    def title(self) -> str:
        """What the node is called, its identity if it has no name."""
        return self.name or self.text

    def figure(self, name: str) -> float:
        """Return one of the statistics that are numbers, 0 for what was not told."""
        value = self.statistics.get(name, 0)
        return value if isinstance(value, int | float) else 0


@dataclass(frozen=True, slots=True)
class ObjectSeen:
    """An object as it told of itself; ``troubles`` say what it would not tell, by part."""

    id: vista.Id
    class_name: vista.ClassName | None
    doc: str
    bases: tuple[str, ...]
    services: tuple[str, ...]
    watchers: tuple[str, ...]
    acl: vista.AccessControlList | None
    meta: str
    variables: tuple[tuple[str, str, str], ...]
    """Name, type and value in text form of each."""
    variables_all: int
    methods: tuple[vista.MethodRow, ...]
    node: vista.Id
    row: vista.ObjectRow | None
    threads: tuple[vista.ThreadRow, ...]
    troubles: Mapping[str, str]


def node_of(id: vista.Id) -> str:
    """Return the identity of the node where an Id was made, in text form."""
    return str(id).partition("-")[0]


def creator_of(text: str) -> vista.Id:
    """Return the Id of the ObjectCreator of a node whose identity is given in text form.

    Raises `GoneError` for what is none.
    """
    return parsed(f"{text}-0")


def parsed(text: str) -> vista.Id:
    """Return the Id that a text stands for. Raises `GoneError` for what is none."""
    try:
        return vista.Id.parse(text)
    except vista.BadValueError:
        raise GoneError(f"“{text[:80]}” is no Id of an object or node.") from None


def ask_nodes() -> list[NodeSeen]:
    """Ask this node and those it reaches, all at once; this one comes first, the nearest follow."""
    here: Any = vista.here()
    nearest = [vista.ref_of(creator_of(row.node)) for row in here.describe_peers()]
    creators = [here, *nearest[: NODES_MAX - 1]]
    asked = [_ask_node(creator) for creator in creators]
    with vista.timeout(ANSWER_SECONDS):
        return [_seen(vista.id_of(one), calls) for one, calls in zip(creators, asked, strict=True)]


def ask_node(id: vista.Id) -> NodeSeen:
    """Ask one node. Raises `CallError` when it does not tell, `GoneError` when there is none."""
    calls = _ask_node(vista.ref_of(id))
    with vista.timeout(ANSWER_SECONDS):
        error = calls[0].exception()
        if isinstance(error, vista.NoSuchObject):
            raise GoneError(f"No node {node_of(id)} is reached from here.")
        if error is not None:
            raise error
        return _seen(id, calls)


def _ask_node(creator: vista.Ref) -> list[vista.Future]:
    messages = ("get_name", "get_statistics", "describe_peers")
    return [vista.future(creator, message) for message in messages]


def _seen(id: vista.Id, calls: list[vista.Future]) -> NodeSeen:
    for call in calls:
        error = call.exception()
        if error is not None:
            return NodeSeen(id, trouble=words_of(error))
    name, statistics, peers = (call.result() for call in calls)
    if not isinstance(name, str) or not isinstance(statistics, dict):
        return NodeSeen(id, trouble="It does not tell what a node tells.")
    return NodeSeen(id, name, _statistics(statistics), tuple(_rows(peers, vista.PeerRow)))


def _statistics(told: dict[Any, Any]) -> dict[str, Any]:
    """Return of what a node tells in its statistics what the pages show, as far as it is sound."""
    methods = told.get("methods")
    rows = methods.items() if isinstance(methods, dict) else ()
    return {
        **_figures(told),
        "objects_by_class": _figures(told.get("objects_by_class")),
        "methods": {name: _figures(row) for name, row in rows if isinstance(name, str)},
    }


def _figures(told: Any) -> dict[str, Any]:
    """Return the figures by name of what should be nothing else."""
    pairs = told.items() if isinstance(told, dict) else ()
    return {name: value for name, value in pairs if isinstance(name, str) and _is_figure(value)}


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < _FIGURE_MAX


def ask_rows(id: vista.Id, message: str, kind: type[Kind], *arguments: Any) -> list[Kind]:
    """Return rows that a node lists; ``arguments`` say which. Raises `CallError`."""
    with vista.timeout(ANSWER_SECONDS):
        return _rows(vista.send(vista.ref_of(id), message, *arguments), kind)


def ask_class(id: vista.Id, name: vista.ClassName) -> Mapping[str, Any]:
    """Return what a node tells of a class; see ``describe_class`` of its ObjectCreator.

    Raises `CallError`, among them `NoSuchClass`.
    """
    with vista.timeout(ANSWER_SECONDS):
        wanted = [name.namespace, name.name, name.version]
        told = vista.send(vista.ref_of(id), "describe_class", wanted)
    return told if isinstance(told, dict) else {}


def home_of(id: vista.Id) -> vista.Id:
    """Return the ObjectCreator of the node where an object is, as far as nodes know.

    That is where it was made when nobody knows better.
    """
    here, birth = vista.here(), vista.ref_of(creator_of(node_of(id)))
    for asked in dict.fromkeys((here, birth)):
        try:
            found = vista.send(asked, "locate_object", id)
        except vista.BadValueError:
            return vista.id_of(here)  # without links everything is here
        except vista.CallError:
            continue
        if isinstance(found, vista.Ref):
            return vista.id_of(found)
    return vista.id_of(birth)


def ask_object(id: vista.Id) -> ObjectSeen:
    """Ask an object what it is. Raises `CallError` when it cannot be reached at all."""
    target = vista.ref_of(id)
    with vista.timeout(ANSWER_SECONDS):
        # Whether it is there, whatever its class has made of the messages below.
        reached = vista.future(target, "class_of").exception()
        if isinstance(
            reached,
            vista.NoSuchObject | vista.ObjectDeleted | vista.PeerLost | vista.CallTimeout,
        ):
            raise reached
        return _ask_parts(id, target)


def _ask_parts(id: vista.Id, target: vista.Ref) -> ObjectSeen:
    troubles: dict[str, str] = {}
    node = home_of(id)
    home = vista.ref_of(node)
    calls = {name: vista.future(target, name) for name in ("describe", "methods", "get_acl")}
    calls["mailbox"] = vista.future(home, "find_object", id)
    calls["threads"] = vista.future(home, "list_threads", id, 0, ROWS_MAX)
    told = _part(troubles, "describe", calls, dict, {})
    types = told.get("variables")
    types = types if isinstance(types, dict) else {}
    names = [name for name in types if isinstance(name, str)][:VARIABLES_MAX]
    if names:
        calls["variables"] = vista.future(
            target,
            "extract_instance_variables",
            *names,
            outline_characters_max=VALUE_CHARACTERS_MAX,
        )
    texts = _part(troubles, "variables", calls, dict, {}) if names else {}
    methods = _part(troubles, "methods", calls, dict, {})
    kind = told.get("class")
    row = _part(troubles, "mailbox", calls, vista.ObjectRow | None, None)
    return ObjectSeen(
        id=id,
        class_name=kind if _is_sound(kind, vista.ClassName) else None,
        doc=_text(told.get("doc")),
        bases=_texts_of(told.get("bases")),
        services=_texts_of(told.get("services")),
        watchers=_texts_of(told.get("watchers")),
        acl=_part(troubles, "get_acl", calls, vista.AccessControlList | None, None),
        meta=_text(told.get("meta")),
        variables=tuple((name, str(types[name]), _text(texts.get(name))) for name in names),
        variables_all=len(types),
        methods=tuple(_rows(list(methods.values()), vista.MethodRow)),
        node=node,
        row=row if _is_sound(row, vista.ObjectRow) else None,
        threads=tuple(_rows(_part(troubles, "threads", calls, list, []), vista.ThreadRow)),
        troubles=troubles,
    )


def _part(
    troubles: dict[str, str],
    name: str,
    calls: Mapping[str, vista.Future],
    kind: Any,
    otherwise: Any,
) -> Any:
    """Return what a call brings, or else note why it is not there."""
    error = calls[name].exception()
    told = otherwise if error is not None else calls[name].result()
    if error is not None:
        troubles[name] = words_of(error)
    elif not isinstance(told, kind):
        troubles[name] = "It does not tell what every object tells."
        told = otherwise
    return told


def words_of(error: BaseException) -> str:
    """Return an error for a person: its name and its text."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _rows(told: Any, kind: type[Kind]) -> list[Kind]:
    hints = get_type_hints(kind)
    rows = told if isinstance(told, list) else []
    return [row for row in rows if isinstance(row, kind) and _has_fields(row, hints)]


def _is_sound(record: Any, kind: type[Any]) -> bool:
    """Tell whether something is a record of a kind, and its fields are of the kinds they should."""
    return isinstance(record, kind) and _has_fields(record, get_type_hints(kind))


def _has_fields(record: Any, hints: Mapping[str, Any]) -> bool:
    return all(_is_of(getattr(record, name), hint) for name, hint in hints.items())


def _is_of(value: Any, hint: Any) -> bool:
    if get_origin(hint) is tuple:
        of = get_args(hint)[0]
        return isinstance(value, tuple) and all(_is_of(each, of) for each in value)
    if get_origin(hint) is UnionType:
        return any(_is_of(value, one) for one in get_args(hint))
    return _is_figure(value) if hint in (int, float) else isinstance(value, hint)


def _text(told: Any) -> str:
    return "" if told is None else str(told)


def _texts_of(told: Any) -> tuple[str, ...]:
    return tuple(map(str, told)) if isinstance(told, list | tuple) else ()
