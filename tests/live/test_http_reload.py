"""SIGHUP to a web server: it goes on, with what its operator has changed."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.live.process import vista as command

RC = """
HTTPdaemon http.profile tcp:127.0.0.1:0
HTTPcommonLogFormat http.log localhost
HTTPreload
"""


def test_sighup_has_a_server_read_its_profile_and_reopen_its_log(tmp_path: Path) -> None:
    profile, log = tmp_path / "http.profile", tmp_path / "http.log"
    profile.write_text("ServerName localhost\n")
    (tmp_path / "http.rc").write_text(RC)
    with command("http.rc", directory=tmp_path) as process:
        process.expect("SIGHUP has profiles")
        log.rename(tmp_path / "old.log")
        profile.write_text("ServerName localhost\ncolour blue\n")
        process.signal(signal.SIGHUP)
        process.expect("http.profile:2: no attribute 'colour'")
        profile.write_text("ServerName localhost\n")
        process.signal(signal.SIGHUP)
        process.expect("its profile was read again")
        process.signal(signal.SIGTERM)
        assert process.end() == 0
    assert log.exists()
