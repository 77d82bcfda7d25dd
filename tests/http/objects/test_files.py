"""Files as objects: what is sent of them, and that it is what the disk has."""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path

import pytest

import vista
from apps.http.content.paths import Refusal, Roots, resolve
from apps.http.errors import FileChanged
from apps.http.objects.cached import HTTPpurgeCache
from apps.http.objects.entries import CHECK_SECONDS
from apps.http.objects.files import HTTPfileBody, HTTPfileReader, file_data, read_whole, refused
from apps.http.objects.loader import URLfileLoader
from tests.http.objects.pages import HttpEchoPage
from tests.http.objects.served import Answer, Site, get, served, wait_until


def keep(site: Site, path: str) -> Answer:
    """Have a file kept: it has an object when it is asked for again."""
    site.get(path)
    answer = site.get(path)
    assert path in site.directory.get_paths()
    return answer


def expire(site: Site, path: str) -> None:
    """Have the object of a file look at the disk again, as it does after a second."""
    assert path in site.directory.get_paths()
    found = site.directory.find("GET", path)
    found.check_if_still_valid()


def number_of(class_name: str) -> int:
    """How many objects of a class there are."""
    return sum(row.class_name.endswith(class_name) for row in vista.objects())


def age(path: Path) -> None:
    """Have a file rested for an hour, so that its entity tag is strong."""
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))


def test_a_directory_is_answered_by_its_index(site: Site) -> None:
    assert site.get("/").body == b"<h1>index</h1>"
    assert site.get("/docs/").body == b"<h1>docs</h1>"


def test_a_directory_without_its_slash_leads_to_the_one_with_it(site: Site) -> None:
    answer = site.get("/docs")
    assert (answer.status, answer.fields["location"]) == (301, "/docs/")


def test_the_address_of_a_directory_is_encoded(site: Site, tree: Path) -> None:
    (tree / "a b\u00fc").mkdir()
    assert site.get("/a%20b%C3%BC").fields["location"] == "/a%20b%C3%BC/"


def test_a_redirect_never_names_another_host(site: Site, tree: Path) -> None:
    (tree / "evil.example").mkdir()
    answer = site.get("//evil.example")
    assert not answer.fields.get("location", "/").startswith("//")
    # No walk leads there, and one that did would lead to no other host.
    led = refused(Refusal.WITHOUT_SLASH, "//evil.example")
    assert dict(led.fields or ())["Location"] == "/evil.example/"


def test_a_directory_is_not_listed(site: Site, tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "empty" / "secret.txt").write_text("x")
    answer = site.get("/empty/")
    assert answer.status == 404 and b"secret" not in answer.body


@pytest.mark.parametrize(
    "path", ["/../outside", "/%2e%2e/outside", "/docs/../../outside", "/link", "/%00", "/a%2fb"]
)
def test_nothing_outside_of_the_directory_is_sent(site: Site, tree: Path, path: str) -> None:
    (tree.parent / "outside").write_text("secret")
    (tree / "link").symlink_to(tree.parent / "outside")
    answer = site.get(path)
    assert answer.status in (400, 404) and b"secret" not in answer.body


def test_a_fifo_is_not_opened(site: Site, tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert site.get("/pipe").status == 404


def test_rfc_9110_13_1_2_a_client_that_has_the_file_gets_304(site: Site, tree: Path) -> None:
    age(tree / "a.txt")
    etag = site.get("/a.txt").fields["etag"]
    answer = site.get("/a.txt", f"If-None-Match: {etag}")
    assert (answer.status, answer.body, answer.fields["etag"]) == (304, b"", etag)


def test_rfc_9110_13_1_1_a_state_that_is_not_there_gets_412(site: Site) -> None:
    assert site.get("/a.txt", 'If-Match: "other"').status == 412


def test_rfc_9110_14_a_range_gets_its_part(site: Site, tree: Path) -> None:
    age(tree / "a.txt")
    answer = site.get("/a.txt", "Range: bytes=2-4")
    assert (answer.status, answer.body) == (206, b"cde")
    assert answer.fields["content-range"] == "bytes 2-4/10"


def test_rfc_9110_14_6_several_ranges_come_as_parts(site: Site, tree: Path) -> None:
    (tree / "b.txt").write_bytes(b"x" * 500 + b"y" * 500)
    answer = site.get("/b.txt", "Range: bytes=0-1, 998-999")
    assert answer.fields["content-type"].startswith("multipart/byteranges; boundary=")
    assert b"\r\n\r\nxx\r\n" in answer.body and b"\r\n\r\nyy\r\n" in answer.body


def test_rfc_9110_15_5_17_a_range_past_the_end_gets_416(site: Site) -> None:
    answer = site.get("/a.txt", "Range: bytes=10-")
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */10")


def test_a_large_file_is_sent_piece_by_piece(site: Site, tree: Path) -> None:
    data = os.urandom(3_000_000)
    (tree / "large").write_bytes(data)
    assert site.get("/large").body == data
    assert site.get("/large", "Range: bytes=1000000-2000000").body == data[1_000_000:2_000_001]
    assert site.get("/large", method="HEAD").fields["content-length"] == "3000000"


def test_a_large_file_leaves_no_object_and_no_descriptor(site: Site, tree: Path) -> None:
    (tree / "large").write_bytes(bytes(2_000_000))
    site.get("/large")
    kinds = [str(row) for row in vista.objects() if "HTTPfileBody" in str(row)]
    assert kinds == []


def test_a_file_that_was_replaced_is_sent_as_it_is(site: Site, tree: Path) -> None:
    before = keep(site, "/a.txt")
    (tree / "new").write_text("jihgfedcba")  # as long as the one before
    (tree / "new").rename(tree / "a.txt")
    expire(site, "/a.txt")
    after = site.get("/a.txt")
    assert after.body == b"jihgfedcba" and after.fields["etag"] != before.fields["etag"]


def test_a_file_that_was_truncated_is_sent_as_it_is(site: Site, tree: Path) -> None:
    keep(site, "/a.txt")
    os.truncate(tree / "a.txt", 3)
    expire(site, "/a.txt")
    assert site.get("/a.txt").body == b"abc"


def test_a_file_that_was_deleted_is_gone_with_its_object(site: Site, tree: Path) -> None:
    keep(site, "/a.txt")
    (tree / "a.txt").unlink()
    site.directory.delete_obsolete(int(time.time()), 0)
    assert site.get("/a.txt").status == 404
    assert site.directory.get_paths() == []


def body_at_last(site: Site, path: str, wanted: bytes) -> bytes:
    """Ask until the answer has a body, or for twenty times as long as the old one may be sent."""
    for _ in range(100):
        vista.sleep(CHECK_SECONDS / 5)
        if (body := site.get(path).body) == wanted:
            break
    return body


def test_the_disk_is_asked_again_by_itself_after_a_second(site: Site, tree: Path) -> None:
    keep(site, "/a.txt")
    (tree / "a.txt").write_text("later")
    assert body_at_last(site, "/a.txt", b"later") == b"later"


def test_purging_has_obsolete_objects_deleted(site: Site, tree: Path) -> None:
    for path in ("/a.txt", "/") * 2:  # what is asked for again has an object
        site.get(path)
    (tree / "a.txt").unlink()
    purge = vista.create(HTTPpurgeCache, 30, "localhost")
    purge.timer_expired()
    assert site.directory.get_paths() == ["/"]


def test_the_cache_keeps_within_its_bytes(tree: Path, tmp_path: Path) -> None:
    for number in range(20):
        (tree / f"{number}.bin").write_bytes(bytes(10_000))
    profile = tmp_path / "http.profile"
    profile.write_text("cacheBytes 60000")
    with served(tree, str(profile)) as site:
        for number in sorted([*range(20), *range(20)]):
            assert len(site.get(f"/{number}.bin").body) == 10_000
        assert site.directory.get_cached_bytes() <= 60_000
        kept = site.directory.get_paths()
        assert kept[-1] == "/19.bin"
        wait_until(lambda: number_of("HTTPcachedFile") == len(kept))


def test_rfc_9110_12_5_3_a_precompressed_form_goes_to_who_accepts_it(
    site: Site, tree: Path
) -> None:
    packed = gzip.compress(b"abcdefghij")
    (tree / "a.txt.gz").write_bytes(packed)
    answer = site.get("/a.txt", "Accept-Encoding: gzip")
    assert (answer.body, answer.fields["content-encoding"]) == (packed, "gzip")
    plain = site.get("/a.txt")
    assert plain.body == b"abcdefghij" and plain.fields["vary"] == "Accept-Encoding"
    assert plain.fields["etag"] != answer.fields["etag"]


def test_a_precompressed_form_that_is_older_than_its_file_is_not_sent(
    site: Site, tree: Path
) -> None:
    (tree / "a.txt.gz").write_bytes(gzip.compress(b"older"))
    age(tree / "a.txt.gz")
    assert "content-encoding" not in site.get("/a.txt", "Accept-Encoding: gzip").fields


def test_includes_are_carried_out(site: Site, tree: Path) -> None:
    (tree / "part.html").write_text("the part")
    (tree / "page.shtml").write_text('[<!--#include file="part.html" -->]')
    answer = site.get("/page.shtml")
    assert answer.body == b"[the part]"
    assert answer.fields["content-type"] == "text/html; charset=utf-8"


def test_a_page_is_made_anew_when_what_it_includes_changes(site: Site, tree: Path) -> None:
    (tree / "part.html").write_text("old")
    (tree / "page.shtml").write_text('[<!--#include file="part.html" -->]')
    assert site.get("/page.shtml").body == b"[old]"
    (tree / "part.html").write_text("changed")
    assert body_at_last(site, "/page.shtml", b"[changed]") == b"[changed]"


def test_a_page_with_variables_is_made_for_each_request(site: Site, tree: Path) -> None:
    (tree / "page.shtml").write_text('<!--#echo var="QUERY_STRING" -->')
    assert site.get("/page.shtml?one").body == b"one"
    assert site.get("/page.shtml?two").body == b"two"


def test_a_page_includes_what_an_object_answers(site: Site, tree: Path) -> None:
    vista.create(HttpEchoPage, "localhost", "/echo")
    (tree / "page.shtml").write_text('[<!--#include virtual="/echo?x" -->]')
    assert site.get("/page.shtml").body == b"[GET /echo?x ]"


def test_a_page_calls_an_object_for_its_text(site: Site, tree: Path) -> None:
    vista.register_service("Echo", vista.create(HttpEchoPage))
    (tree / "page.shtml").write_text('<!--#call object="Echo" method="count" -->')
    assert site.get("/page.shtml").body == b"0"


def test_raw_files_are_sent_with_their_directives(tree: Path) -> None:
    (tree / "page.shtml").write_text('<!--#echo var="x" -->')
    with served() as site:
        vista.create(URLfileLoader, "localhost", "HTTPrawCachedFile", "/", None, str(tree))
        assert site.get("/page.shtml").body == b'<!--#echo var="x" -->'


def test_a_loader_without_directories_is_refused(site: Site) -> None:
    with pytest.raises(vista.BadValueError, match=r"needs the directories whose files it serves"):
        vista.create(URLfileLoader, "localhost", "HTTPcachedFile", "/x", None)


def test_a_profile_serves_its_directories(tree: Path, tmp_path: Path) -> None:
    profile = tmp_path / "http.profile"
    profile.write_text(f"ServerName localhost\ndirectoryRoot {tree}\ndefaultFiles a.txt\n")
    with served(profile=str(profile)) as site:
        assert Answer(site.talk(get("/"))).body == b"abcdefghij"


def test_a_file_that_became_shorter_meanwhile_is_found_out(tree: Path, site: Site) -> None:
    roots = Roots((str(tree),))
    with resolve(roots, ("a.txt",)) as file:  # type: ignore[union-attr]
        os.truncate(tree / "a.txt", 5)
        with pytest.raises(FileChanged, match=r"ends at 5 where it had 10 bytes"):
            site.node.call(read_whole, file)


def test_a_file_is_read_aside_of_the_loop(tree: Path, site: Site) -> None:
    with (tree / "a.txt").open("rb") as file:
        reader = vista.create(HTTPfileReader, os.dup(file.fileno()))
    assert reader.read(4) == b"abcd" and reader.read(100) == b"abcdefghij"
    before = len(os.listdir("/proc/self/fd"))
    vista.delete(reader)
    assert len(os.listdir("/proc/self/fd")) == before - 1


def test_a_large_file_is_read_aside_of_the_loop(tree: Path, site: Site) -> None:
    (tree / "large").write_bytes(bytes(2_000_000))
    with resolve(Roots((str(tree),)), ("large",)) as file:  # type: ignore[union-attr]
        data = site.node.call(file_data, Roots((str(tree),)), ("large",), file)
    body = vista.create(HTTPfileBody, data, ((0, 2_000_000),))
    assert body.read_from_disk(1_999_990, 100) == bytes(10)


def test_a_file_is_served_whose_name_leaves_no_room_for_the_ending_of_another_form(
    site: Site, tree: Path
) -> None:
    name = "a" * 251 + ".txt"
    (tree / name).write_text("long")
    assert site.get(f"/{name}").body == b"long"
