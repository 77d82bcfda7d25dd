"""What the two ends of a link tell one another before the first batch, and how it is written.

A hello is a msgpack map of field names. Three rules. Fields that are not known here are passed
over, so that a later minor version may add some. The versions are read before all else, because
what the other fields mean depends on them. Everything has a bound, checked alike for what this
side tells (`BadValueError`) and for what it is told (`RemoteProtocolError`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from vista.errors import BadValueError, RemoteProtocolError
from vista.ids import NODE_BYTES
from vista.wire.codec import pack_plain, unpack_plain

EPOCH_BYTES = 8
"""Bytes a node draws at each start, so that its peers see that it ran again."""

HELLO_BYTES_MAX = 8192
"""Bytes of a header with a map of fields: all fields at their bounds take 6,000."""

VERSIONS_MAX = 16
"""Protocol versions a hello may name: nobody keeps more alive at once."""

VERSION_MAX = 65_535
"""The greatest number of a protocol version."""

WORDS_MAX = 64
"""Features in a hello, or rights in a grant."""

WORD_CHARACTERS_MAX = 32
"""Characters of a feature or right, letters, digits, ``_`` and ``-`` of ASCII."""

LABEL_CHARACTERS_MAX = 64
"""Characters of a display name or software version: a column of a table on a terminal."""

USER_CHARACTERS_MAX = 255
"""Characters of a user's name, as `Limits.name_characters_max` has it."""

REASON_CHARACTERS_MAX = 500
"""Characters of a reason that travels: a few lines of a log. The rest is cut off."""

BYTES_MAX = 2**40
"""The greatest window and the greatest batch a hello may name."""

_WORD_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


FINISH = "finish"
"""The feature of who knows a FIN: links whose messages go elsewhere end without any being lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """What the peer says about itself; not proven by anything but the link it came through.

    ``node`` (10 bytes) is its identity, ``epoch`` (8 bytes) that of its run, ``name`` and
    ``software`` are for people and printable. ``versions`` are those of the protocol that it
    speaks, ``features`` what it can do beyond them. It holds ``window_bytes`` of batches that it
    has not worked off, and takes no batch of more than ``batch_bytes_max``.
    """

    versions: tuple[int, ...]
    features: frozenset[str]
    node: bytes
    epoch: bytes
    name: str
    software: str
    window_bytes: int
    batch_bytes_max: int


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """What a session tells its peer about this node, and the bounds of the session.

    ``node`` is the node's identity (10 bytes), ``epoch`` 8 bytes that it drew at its start,
    ``name`` and ``software`` at most 64 printable characters for people. ``versions`` are the
    protocol versions spoken here, ``features`` the words for what goes beyond them. Raises
    `BadValueError` for values out of bounds. The other fields:
    """

    node: bytes
    epoch: bytes
    name: str
    versions: tuple[int, ...] = (1,)
    features: frozenset[str] = frozenset()
    software: str = ""
    window_bytes: int = 8 * 1024 * 1024
    """Bytes of batches the peer may have sent that are not worked off here: the most memory one
    peer can take, and 8 ms of a link of 1 GB/s."""
    batch_bytes_max: int = 65 * 1024 * 1024
    """Bytes of credit one batch may take: a frame of ``frame_bytes_max`` and 16,000 parts."""
    ping_seconds: float = 2.0
    """How long nothing is sent before a ping is: each peer hears something that often."""
    loss_seconds: float = 8.0
    """How long nothing is heard before the peer counts as lost. At least three times
    ``ping_seconds``: a pause of this process of less than two of them goes unnoticed, and the peer
    may have been silent for one."""
    hello_seconds: float = 10.0
    """How long the handshake may take, decisions of both owners included."""
    ack_seconds: float = 0.02
    """How long consumed bytes wait for a batch that takes the word of them along."""
    pong_seconds: float = 0.1
    """Pings that come sooner after the last one answered get no answer, so that a peer which sends
    pings and reads nothing does not fill this side's queue."""

    def __post_init__(self) -> None:
        for name, check in _CHECKS.items():
            value = list(getattr(self, name)) if name in _LISTS else getattr(self, name)
            if not check(value):
                raise BadValueError(f"a session's {name} cannot be {value!r:.80}")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_seconds") and not 0 < value < math.inf:
                raise BadValueError(f"a session's {field.name} must be positive, not {value!r}")
        if self.loss_seconds < 3 * self.ping_seconds:
            raise BadValueError("a session's loss_seconds must be at least 3 times ping_seconds")


def encode_hello(config: SessionConfig, **more: Any) -> bytes:
    """The hello of a node, with further fields: the chosen ``version``, or a grant."""
    told = {name: getattr(config, name) for name in _CHECKS}
    return pack_plain({**told, **{name: sorted(told[name]) for name in _LISTS}, **more})


def encode_grant(user: str, rights: frozenset[str]) -> dict[str, Any]:
    """The fields that tell a peer as which user it acts here, with which rights.

    Raises `BadValueError` when one is out of bounds.
    """
    if not _is_user(user) or not _is_words(sorted(rights)):
        raise BadValueError(f"a peer cannot act as user {user!r:.80} with {sorted(rights)!r:.80}")
    return {"user": user, "rights": sorted(rights)}


def encode_reason(reason: str) -> bytes:
    """The words of a goodbye, cut to their bound."""
    return pack_plain({"reason": clean_reason(reason)})


def clean_reason(reason: str) -> str:
    """Words that are safe to show on a terminal: no control characters, and not too many."""
    head = reason[:REASON_CHARACTERS_MAX]
    return "".join(character if character.isprintable() else "?" for character in head)


def decode_fields(data: bytes) -> dict[Any, Any]:
    """The map in a header. Raises `RemoteProtocolError` when there is none."""
    told = unpack_plain(data)
    if type(told) is not dict:
        raise RemoteProtocolError("a header without a map of fields")
    return told


def decode_versions(told: dict[Any, Any]) -> tuple[int, ...]:
    """The protocol versions of a hello, the only field that all versions write alike.

    Raises `RemoteProtocolError`.
    """
    _check_field(told, "versions", _is_versions)
    return tuple(told["versions"])


def decode_hello(told: dict[Any, Any]) -> Hello:
    """The hello in the fields of a header.

    Raises `RemoteProtocolError` naming the first mistake.
    """
    for name, check in _CHECKS.items():
        _check_field(told, name, check)
    named = {name: told[name] for name in _CHECKS}
    versions, features = tuple(told["versions"]), frozenset(told["features"])
    return Hello(**{**named, "versions": versions, "features": features})


def decode_grant(told: dict[Any, Any]) -> tuple[str, frozenset[str]]:
    """As which user, and with which rights, the peer lets this side act.

    Raises `RemoteProtocolError`.
    """
    _check_field(told, "user", _is_user)
    _check_field(told, "rights", _is_words)
    return told["user"], frozenset(told["rights"])


def decode_reason(told: dict[Any, Any]) -> str:
    """The words of a goodbye, made safe to show. Raises `RemoteProtocolError`."""
    _check_field(told, "reason", lambda value: type(value) is str)
    return clean_reason(told["reason"])


def decode_version(told: dict[Any, Any], spoken: tuple[int, ...]) -> int:
    """The version that the acceptor chose from those spoken here. Raises `RemoteProtocolError`."""
    _check_field(told, "version", lambda value: type(value) is int and value in spoken)
    version: int = told["version"]
    return version


def version_refusal(theirs: tuple[int, ...], ours: tuple[int, ...]) -> str:
    """Why an initiator that speaks other versions than those spoken here is refused."""
    listed = [", ".join(map(str, sorted(versions))) for versions in (theirs, ours)]
    return (
        f"no protocol version in common: the initiator speaks {listed[0]}, the acceptor {listed[1]}"
    )


def _check_field(told: dict[Any, Any], name: str, check: Callable[[Any], bool]) -> None:
    if name not in told:
        raise RemoteProtocolError(f"a header without the field {name}")
    if not check(told[name]):
        raise RemoteProtocolError(f"a header with the {name} {told[name]!r:.60}")


def _is_versions(value: Any) -> bool:
    return (
        type(value) is list
        and 1 <= len(value) <= VERSIONS_MAX
        and all(type(item) is int and 1 <= item <= VERSION_MAX for item in value)
    )


def _is_words(value: Any) -> bool:
    return type(value) is list and len(value) <= WORDS_MAX and all(map(_is_word, value))


def _is_word(value: Any) -> bool:
    return (
        type(value) is str
        and 1 <= len(value) <= WORD_CHARACTERS_MAX
        and _WORD_CHARACTERS.issuperset(value)
    )


def _is_label(value: Any) -> bool:
    return type(value) is str and len(value) <= LABEL_CHARACTERS_MAX and value.isprintable()


def _is_user(value: Any) -> bool:
    return type(value) is str and len(value) <= USER_CHARACTERS_MAX and value.isprintable()


def _is_bytes_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= BYTES_MAX


_LISTS = ("versions", "features")
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "versions": _is_versions,
    "features": _is_words,
    "node": lambda value: isinstance(value, bytes) and len(value) == NODE_BYTES,
    "epoch": lambda value: isinstance(value, bytes) and len(value) == EPOCH_BYTES,
    "name": _is_label,
    "software": _is_label,
    "window_bytes": _is_bytes_count,
    "batch_bytes_max": _is_bytes_count,
}
