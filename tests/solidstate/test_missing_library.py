"""What is said where the library of signatures is not installed."""

from __future__ import annotations

import runpy
import sys

import pytest

from apps.solidstate.pbft import ed25519


def test_without_its_library_solidstate_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "nacl.bindings", None)
    with pytest.raises(ImportError, match=r"pip install vista\[solidstate\]"):
        runpy.run_path(str(ed25519.__file__))
