"""Directories without an index: listed only if the profile says so, as the disk has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from apps.http.errors import ProfileError
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.protected import URLprotectedFile
from tests.http.objects.served import Site, served
from tests.http.objects.test_protected import basic


@pytest.fixture
def listing(tree: Path, tmp_path: Path) -> Iterator[Site]:
    """A site that lists, with a directory ``/files/``."""
    (tree / "files" / "more").mkdir(parents=True)
    (tree / "files" / "a b.txt").write_text("abc")
    profile = tmp_path / "http.profile"
    profile.write_text("listings yes\n")
    with served(tree, profile=str(profile)) as made:
        yield made


def test_a_directory_without_an_index_is_listed(listing: Site) -> None:
    answer = listing.get("/files/")
    assert answer.status == 200
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert b'<a href="./a%20b.txt">a b.txt</a>' in answer.body
    assert b'<a href="./more/">more/</a>' in answer.body


def test_an_index_is_sent_all_the_same(listing: Site) -> None:
    assert listing.get("/docs/").body == b"<h1>docs</h1>"


def test_a_page_of_names_may_load_nothing(listing: Site) -> None:
    assert "default-src 'none'" in listing.get("/files/").fields["content-security-policy"]


def test_a_directory_without_its_slash_leads_to_its_list(listing: Site) -> None:
    assert listing.get("/files").fields["location"] == "/files/"


def test_the_query_sorts(listing: Site, tree: Path) -> None:
    (tree / "files" / "z.txt").write_text("x" * 99)
    body = listing.get("/files/?sort=size&order=desc").body
    assert body.index(b"z.txt") < body.index(b"a b.txt")


def test_the_list_is_what_the_disk_has(listing: Site, tree: Path) -> None:
    listing.get("/files/")
    (tree / "files" / "later.txt").touch()
    assert b"later.txt" in listing.get("/files/").body


def test_an_index_that_is_put_there_takes_its_place(listing: Site, tree: Path) -> None:
    listing.get("/files/")
    (tree / "files" / "index.html").write_text("index")
    answer = listing.get("/files/")
    assert (answer.status, answer.fields["location"]) == (303, "/files/")
    assert listing.get("/files/").body == b"index"


def test_a_directory_that_is_gone_is_not_found(listing: Site, tree: Path) -> None:
    listing.get("/files/more/")
    (tree / "files" / "more").rmdir()
    assert listing.get("/files/more/").status == 303
    assert listing.get("/files/more/").status == 404


def test_what_is_guarded_is_not_listed_outside(listing: Site, tree: Path) -> None:
    (tree / "files" / "more" / "pay.txt").touch()
    assert b"more/" in listing.get("/files/").body
    vista.create(URLprotectedFile, "localhost", "/files/more", None, "harbour", "kim", "secret")
    assert b"more/" not in listing.get("/files/").body
    assert listing.get("/files/more/").status == 401
    assert b"pay.txt" in listing.get("/files/more/", basic()).body


def test_a_site_without_a_profile_lists_nothing() -> None:
    with vista.Node("listings"):
        assert vista.create("URLdirectory", "elsewhere").get_listings() is False


def test_a_profile_says_yes_or_no(tmp_path: Path, site: Site) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text("listings perhaps\n")
    with pytest.raises(ProfileError, match=r"listings must be no or yes, not 'perhaps'"):
        vista.create(HTTPdaemon, str(profile), "tcp:127.0.0.1:0", "other")
