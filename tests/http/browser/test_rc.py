"""rc/browser.rc as an operator runs it."""

from __future__ import annotations

import http.client
import signal
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.live.process import ROOT, own_directories
from tests.live.process import vista as command


def test_the_rc_file_tells_a_link_that_opens_the_browser(tmp_path: Path) -> None:
    text = (ROOT / "rc" / "browser.rc").read_text()
    assert "tcp:127.0.0.1:4320" in text
    (tmp_path / "browser.rc").write_text(text.replace(":4320", ":0"))
    with own_directories(), command(str(tmp_path / "browser.rc")) as process:
        process.expect("the object browser of localhost: http://localhost:")
        line = next(line for line in process.errors if "the object browser of" in line)
        link = urlsplit(line.rpartition(" ")[2])
        assert link.port is not None and link.path == "/browser/"
        with closing(http.client.HTTPConnection("127.0.0.1", link.port, timeout=30)) as client:
            client.request("GET", f"{link.path}?{link.query}")
            answer = client.getresponse()
            cookie = str(answer.getheader("Set-Cookie")).partition(";")[0]
            answer.read()
            client.request("GET", "/browser/", headers={"Cookie": cookie})
            answer = client.getresponse()
            assert answer.status == 200
            assert b"<h1>Nodes</h1>" in answer.read()
        process.signal(signal.SIGTERM)
        assert process.end() == 0
    assert [line for line in process.errors if " error " in line] == []
