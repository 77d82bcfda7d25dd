"""rc/http.rc as an operator runs it, and the lines of the original as they were written."""

from __future__ import annotations

import http.client
import shutil
import signal
from contextlib import closing
from pathlib import Path

import vista
from tests.live.process import ROOT
from tests.live.process import vista as command


def copied(directory: Path) -> Path:
    """A copy of rc/http.rc that takes a free port."""
    text = (ROOT / "rc" / "http.rc").read_text()
    assert "tcp:127.0.0.1:4321" in text
    (directory / "http.rc").write_text(text.replace(":4321", ":0"))
    shutil.copy(ROOT / "rc" / "http_page.py", directory)
    return directory / "http.rc"


def test_the_rc_file_serves_a_tree_and_a_page(tree: Path, tmp_path: Path) -> None:
    with command(str(copied(tmp_path)), str(tree)) as process:
        process.expect("is served at http://localhost:")
        line = next(line for line in process.errors + process.output if "is served at" in line)
        port = int(line.rstrip("/").rpartition(":")[2])
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
            client.request("GET", "/")
            answer = client.getresponse()
            assert (answer.status, answer.read()) == (200, b"<h1>index</h1>")
            assert answer.getheader("ETag")
            client.request("GET", "/hello?name=%3Cyou%3E")
            assert b"Hello &lt;you&gt;, visit 1." in client.getresponse().read()
        process.expect('"GET / HTTP/1.1" 200 14')
        process.signal(signal.SIGTERM)
        assert process.end() == 0


def test_the_lines_of_the_original_boot_as_written(tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text(f"ServerName www.domain.com\ndirectoryRoot {tree}\n")
    (tmp_path / "web.rc").write_text(
        "PeerRegistry\n"
        "AnnounceServices\n"
        f"HTTPcommonLogFormat {tmp_path}/http.log www.domain.com\n"
        f"HTTPdaemon {profile} tcp:127.0.0.1:0\n"
        "HTTPpurgeCache 30 www.domain.com\n"
    )
    with vista.run(str(tmp_path / "web.rc")) as node:
        found = node.call(lambda: [row.name for row in vista.services()])
    assert "URLdirectory:www.domain.com" in found and "HTTPlogger:www.domain.com" in found
