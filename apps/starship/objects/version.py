"""Which rules a server plays by: servers of one game must compute the same, byte by byte."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable

VERSION = 2
"""Counts up when the messages between primary and servers change."""

_PACKAGES = ("apps.starship.rules", "apps.starship.game")
_DIGITS = 12


def rules_version() -> str:
    """Return the version of the rules and of the step protocol as this node has them.

    It is a number and a digest of the sources: two servers with different sources would differ at
    some step, and nobody could say why. A changed comment is a difference too, which costs an
    update that was not needed and never a game.
    """
    return f"{VERSION}-{digest_of([resources.files(package) for package in _PACKAGES])}"


def digest_of(directories: Iterable[Traversable]) -> str:
    """Return a digest of the modules in some directories, in their order; 12 hex digits."""
    digest = hashlib.sha256()
    for directory in directories:
        for file in sorted(directory.iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
                digest.update(f"{file.name}\n".encode())
                digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:_DIGITS]
