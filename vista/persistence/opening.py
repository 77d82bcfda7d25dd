"""Which store a service has, by the words it is given."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from vista.errors import BadValueError, StoreError
from vista.persistence.store import Store

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

DEFAULT_SERVICE = "/ObjectPager"
"""The service name of a PersistenceService when nothing else is said."""


def state_directory(kernel: Kernel) -> Path:
    """Return where a node keeps what outlives it.

    That is the node's setting ``state_directory``, or ``$XDG_STATE_HOME/vista/NAME`` with the name
    of the node, below ``~/.local/state`` when the variable is not set.
    """
    given = kernel.settings.get("state_directory")
    if given is not None:
        return Path(given)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "vista" / quote(kernel.name, safe="")


def make_store(kernel: Kernel, words: str, service: str) -> Store:
    """Return the store that ``words`` mean, not opened: a path, a ``postgresql:`` URL, or nothing.

    With nothing it is a file in the state directory, one for each service name. The node's setting
    ``make_store``, a function of ``words`` and ``service``, puts another kind in its place. Raises
    `BadValueError` for another URL, and `StoreError` when the library for it is not installed.
    """
    make = kernel.settings.get("make_store")
    if make is not None:
        made: Store = make(words, service)
        return made
    if words.startswith(("postgresql://", "postgres://")):
        return _postgres_store(words, kernel.name + service)
    if "://" in words:
        kind = words.partition("://")[0]
        raise BadValueError(f"{kind}:// is no store; give a file or a postgresql:// URL")
    # Imported late: who only inherits from PersistentObject needs no database.
    from vista.persistence.sqlite import SqliteStore

    path = Path(words) if words else state_directory(kernel) / _file_name(service)
    return SqliteStore(path, kernel.limits.store_bytes_max)


def _postgres_store(url: str, name: str) -> Store:
    # Imported late: it is an optional library, which loads a dozen more.
    try:
        from vista.persistence.postgres import PostgresStore
    except ImportError as error:
        raise StoreError(
            f"PostgreSQL needs a library that is not here: pip install vista[postgres] ({error})"
        ) from error
    return PostgresStore(url, name)


def _file_name(service: str) -> str:
    if service == DEFAULT_SERVICE:
        return "objects.sqlite"
    return f"objects-{quote(service, safe='')}.sqlite"
