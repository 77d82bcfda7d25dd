"""What the prompt says of itself: the banner and ``help()``.

Both are made from what there is: the lines of ``help()`` are the first sentences of the functions'
own docstrings, so that they cannot say what is no longer so.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType

BANNER_LINES_MAX = 5

_TOPICS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "Objects and messages": (
            *("Object", "create", "delete", "send", "post", "future", "gather"),
            *("timeout", "sleep", "wait", "record"),
        ),
        "Names": ("id_of", "ref_of", "class_of", "self_ref"),
        "Services": (
            *("register_service", "unregister_service", "service", "services"),
            "wait_for_service",
        ),
        "Peers": ("connect", "peers", "here", "move"),
        "What is going on": ("objects", "threads", "classes", "services", "statistics"),
        "Threads": ("kill", "suspend", "resume"),
        "Copies": ("copy", "encode_object", "import_object"),
        "Access": ("AccessControlList", "make_default_acl", "current_user"),
    }
)

_INDENT = 22
"""Characters before the sentence of a function."""

_ROOM_MIN = 20
"""Characters that a sentence has at least, however narrow the terminal is."""

_CLOSING = """\
Everything above is documented: create? prints what create takes, and so does ref.method? for a
method of an object, wherever the object lives. TAB completes names, Ids, services and methods.
Ctrl-C ends a call that waits, %tb full shows the last error with every frame, Ctrl-D leaves."""


def banner(version: str, node: str, rc_file: str | None, linked: str = "") -> str:
    """Return the words the prompt begins with, at most five lines.

    ``linked`` says with whom the node is linked.
    """
    running = f", {rc_file} is running" if rc_file else ""
    link = (
        f"\n  linked with {linked}: peer is its ObjectCreator, objects(at=peer)" if linked else ""
    )
    return f"""\
vista {version}, node {node}{running}{link}
  class Counter(Object): ...     a class; then  c = create("Counter")  and  c.method(2)
  objects()  threads()  services()  classes()  statistics()     what is going on
  c.method?  what it takes     TAB  completes     help()  all functions     Ctrl-D  leaves
"""


def summary(value: object) -> str:
    """Return the first sentence of an object's docstring, on one line, or nothing."""
    doc = inspect.getdoc(value) or ""
    first = " ".join(doc.partition("\n\n")[0].split())
    sentence, stop, _ = first.partition(". ")
    return sentence + "." if stop else first


def guide(namespace: Mapping[str, object], width: int | None = None) -> str:
    """Return what ``help()`` prints: vista's functions by subject, each with its first sentence.

    ``width`` is that of the terminal in characters: longer sentences go on below their beginning.
    """
    lines = []
    for topic, names in _TOPICS.items():
        known = [name for name in names if name in namespace]
        lines += [topic, *(_entry(name, summary(namespace[name]), width) for name in known), ""]
    return "\n".join([*lines, _CLOSING])


def _entry(name: str, sentence: str, width: int | None) -> str:
    room = len(sentence) if width is None else width - _INDENT
    parts = textwrap.wrap(sentence, max(room, _ROOM_MIN)) or [""]
    return f"  {name:{_INDENT - 2}}" + ("\n" + " " * _INDENT).join(parts)
