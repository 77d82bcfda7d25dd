"""Keys that others could read or change: refused by the command, with the command that mends it."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.live.process import COMMAND, ROOT, SECONDS_MAX, vista


@pytest.mark.parametrize(("name", "mode"), [("secret_key", 0o644), ("", 0o777)])
def test_a_key_that_others_can_use_ends_a_boot_with_2_and_what_is_told_mends_it(
    name: str, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys"
    monkeypatch.setenv("VISTA_CONFIG_DIR", str(keys))
    words = ("rc/hub.rc", "tcp:127.0.0.1:0")
    with vista(*words) as hub:
        hub.expect("peers may connect")
    (keys / name).chmod(mode)
    ran = subprocess.run(
        [*COMMAND, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert ran.returncode == 2
    (line,) = [line for line in ran.stderr.splitlines() if "chmod" in line]
    mending = shlex.split(line[line.index("chmod") :])[:3]
    subprocess.run(mending, check=True)
    with vista(*words) as hub:
        hub.expect("peers may connect")
