"""What ``vista solidstate`` says of files that cannot be read, or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from apps.solidstate.errors import BackupError
from apps.solidstate.operating import carry_out, told_of
from apps.solidstate.status import read_words

NOBODY: Any = None
"""A peer that is not asked: the file is read before."""


def test_a_file_that_is_no_backup_is_named(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# vista\n")
    with pytest.raises(BackupError, match=r"README\.md: no backup of a group of replicas$"):
        carry_out(read_words(["restore", "ipc:front", str(path)]), NOBODY)


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "carts.backup"
    with pytest.raises(OSError) as caught:
        carry_out(read_words(["restore", "ipc:front", str(path)]), NOBODY)
    assert told_of(caught.value) == f"{path}: No such file or directory"
    assert told_of(ValueError("as it is")) == "as it is"
