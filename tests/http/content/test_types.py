"""The type of a file by the ending of its name."""

from __future__ import annotations

import pytest

from apps.http.content.files import ENDINGS_MAX, content_type


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("INDEX.HTML", "text/html; charset=utf-8"),
        ("harbour.Svg", "image/svg+xml; charset=utf-8"),
        ("harbour.png", "image/png"),
        ("site.tar.gz", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("a.html.", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_the_last_ending_of_a_name_tells_the_type(name: str, kind: str) -> None:
    assert content_type(name) == content_type(name) == kind


def test_endings_that_clients_think_up_drive_nothing_out() -> None:
    for number in range(3 * ENDINGS_MAX):
        assert content_type(f"a.{number}") == "application/octet-stream"
    assert content_type("a.css") == "text/css; charset=utf-8"
