"""Forms: the WHATWG URL standard for urlencoded ones, RFC 7578 and RFC 2046 for multipart."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import RequestRejected
from apps.http.syntax.forms import (
    FORM_END,
    NEED_DATA,
    PART_END,
    FormEvent,
    MultipartReader,
    PartData,
    PartStart,
    parse_urlencoded,
)
from apps.http.syntax.limits import HttpLimits

LIMITS = HttpLimits()
SMALL = HttpLimits(
    form_fields_max=3,
    form_part_fields_max=2,
    form_part_field_bytes_max=60,
    urlencoded_bytes_max=20,
)
CONTENT_TYPE = "multipart/form-data; boundary=----WebKitFormBoundaryx"
DELIMITER = b"------WebKitFormBoundaryx"


def part(disposition: str, body: bytes = b"", *lines: str) -> bytes:
    """A part with its delimiter before and the line end behind it."""
    head = "\r\n".join([f"Content-Disposition: {disposition}", *lines, "", ""])
    return DELIMITER + b"\r\n" + head.encode() + body + b"\r\n"


END = DELIMITER + b"--\r\n"


def events_of(
    data: bytes, cuts: tuple[int, ...] = (), limits: HttpLimits = LIMITS
) -> list[FormEvent]:
    """All events of a body that arrives in pieces, data that belongs together joined."""
    reader = MultipartReader(CONTENT_TYPE, limits)
    events: list[FormEvent] = []
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[first:last] for first, last in pairwise(edges)]
    for piece in [*pieces, b""]:
        reader.receive(piece)
        while (event := reader.next_event()) not in (NEED_DATA, FORM_END):
            if isinstance(event, PartData) and events and isinstance(events[-1], PartData):
                event = PartData(events.pop().data + event.data)  # type: ignore[union-attr]
            events.append(event)
    return events


def first_part(disposition: str, *lines: str) -> PartStart:
    """The announcement of a part with this head."""
    event = events_of(part(disposition, b"", *lines) + END)[0]
    assert isinstance(event, PartStart)
    return event


def refusal(data: bytes, limits: HttpLimits = LIMITS) -> RequestRejected:
    """Why a body is refused."""
    with pytest.raises(RequestRejected) as caught:
        events_of(data, limits=limits)
    return caught.value


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        (b"", []),
        (b"a=1", [("a", "1")]),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"a", [("a", "")]),
        (b"=1", [("", "1")]),
        (b"&&a=1&", [("a", "1")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a+b=c+d", [("a b", "c d")]),
        (b"a%2Bb=%26%3D", [("a+b", "&=")]),
        (b"a=%E2%82%AC", [("a", "\u20ac")]),
        (b"a=\xe2\x82\xac", [("a", "\u20ac")]),
        (b"a=%ff", [("a", "\ufffd")]),
        (b"a=100%&b=%zz", [("a", "100%"), ("b", "%zz")]),
        (b"a=%00%0D%0A", [("a", "\0\r\n")]),
        (b"a;b=1", [("a;b", "1")]),
    ],
)
def test_an_urlencoded_form_is_read_as_browsers_mean_it(
    data: bytes, pairs: list[tuple[str, str]]
) -> None:
    assert list(parse_urlencoded(data, LIMITS).items()) == pairs


def test_a_query_is_read_alike() -> None:
    assert parse_urlencoded("a=1&b=%20", LIMITS).items() == (("a", "1"), ("b", " "))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form(data: bytes) -> None:
    assert len(parse_urlencoded(data, LIMITS)) <= data.count(b"&") + 1


def test_an_urlencoded_form_is_bounded_in_bytes() -> None:
    assert len(parse_urlencoded(b"a=" + b"x" * 18, SMALL)) == 1
    with pytest.raises(RequestRejected, match=r"413: the form has more than 20 bytes"):
        parse_urlencoded(b"a=" + b"x" * 19, SMALL)


def test_an_urlencoded_form_is_bounded_in_fields() -> None:
    assert len(parse_urlencoded(b"a&b&c", SMALL)) == 3
    with pytest.raises(RequestRejected, match=r"413: the form has more than 3 fields"):
        parse_urlencoded(b"a&b&c&d", SMALL)


def test_values_are_found_by_name() -> None:
    form = parse_urlencoded(b"a=1&b=2&a=3", LIMITS)
    assert (form.get("a"), form.get("c"), form.get("c", "none")) == ("1", None, "none")
    assert (form.get_all("a"), form.get_all("A")) == (("1", "3"), ())
    assert ("a" in form, "c" in form, list(form), len(form)) == (True, False, ["a", "b"], 3)


def test_7578_a_form_with_a_value_and_a_file() -> None:
    body = part('form-data; name="ship"', b"Enterprise") + part(
        'form-data; name="log"; filename="a.bin"', b"\x00\r\n--", "Content-Type: image/png"
    )
    assert events_of(body + END) == [
        PartStart("ship", None, "text/plain", (("content-disposition", 'form-data; name="ship"'),)),
        PartData(b"Enterprise"),
        PART_END,
        PartStart(
            "log",
            "a.bin",
            "image/png",
            (
                ("content-disposition", 'form-data; name="log"; filename="a.bin"'),
                ("content-type", "image/png"),
            ),
        ),
        PartData(b"\x00\r\n--"),
        PART_END,
    ]


BODIES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        # What looks like a delimiter until its end.
        st.lists(st.sampled_from([b"\r", b"\n", b"\r\n--", b"--", DELIMITER[:9], b"-", b"x"])).map(
            b"".join
        ),
    ),
    max_size=4,
)


@given(BODIES, st.lists(st.integers(0, 2000), max_size=6).map(tuple))
def test_bytes_cut_anywhere_give_the_same_parts(bodies: list[bytes], cuts: tuple[int, ...]) -> None:
    data = b"".join(part(f'form-data; name="{n}"', body) for n, body in enumerate(bodies)) + END
    starts = [event for event in events_of(data, cuts) if isinstance(event, PartStart)]
    assert [start.name for start in starts] == [str(number) for number in range(len(bodies))]
    assert events_of(data, cuts) == events_of(data) == events_of(data, tuple(range(len(data))))
    content = [event.data for event in events_of(data) if isinstance(event, PartData)]
    assert content == [body for body in bodies if body]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5).map(tuple))
def test_garbage_is_refused_with_400(data: bytes, cuts: tuple[int, ...]) -> None:
    with pytest.raises(RequestRejected, match=r"^400: "):
        events_of(data, cuts)


FRAGMENTS = st.sampled_from(
    [
        DELIMITER,
        b"--",
        b"\r\n",
        b"\r",
        b"\n",
        b":",
        b" ",
        b"Content-Disposition: form-data; name=a",
        b"Content-Disposition",
        b"\0",
        b"x",
    ]
)


@given(st.lists(FRAGMENTS, max_size=25).map(b"".join), st.lists(st.integers(0, 300), max_size=3))
def test_pieces_of_a_form_in_any_order_are_events_or_refused(data: bytes, cuts: list[int]) -> None:
    try:
        events = events_of(data, tuple(cuts))
    except RequestRejected as error:
        assert error.status == 400
    else:
        assert events.count(PART_END) == sum(isinstance(event, PartStart) for event in events)


def test_events_before_a_mistake_are_handed_out_first() -> None:
    reader = MultipartReader(CONTENT_TYPE, LIMITS)
    reader.receive(part('form-data; name="a"', b"1") + DELIMITER + b"\r\nbad name: x\r\n")
    found = [reader.next_event() for _ in range(3)]
    assert isinstance(found[0], PartStart)
    assert found[1:] == [PartData(b"1"), PART_END]
    for _ in range(2):
        with pytest.raises(RequestRejected, match=r"400: a boundary or the head of a part"):
            reader.next_event()


def test_bytes_after_a_mistake_are_not_read() -> None:
    reader = MultipartReader(CONTENT_TYPE, LIMITS)
    reader.receive(b"garbage")
    reader.receive(part('form-data; name="a"', b"1") + END)
    with pytest.raises(RequestRejected):
        reader.next_event()


def test_2046_bytes_behind_the_form_are_ignored() -> None:
    assert len(events_of(part('form-data; name="a"') + END + b"epilogue" + END)) == 2


def test_the_end_is_told_for_ever() -> None:
    reader = MultipartReader(CONTENT_TYPE, LIMITS)
    reader.receive(END)
    assert [reader.next_event(), reader.next_event()] == [FORM_END, FORM_END]
    reader.receive(b"")
    assert reader.next_event() is FORM_END


@pytest.mark.parametrize("cut", range(len(part('form-data; name="a"', b"1") + END) - 4))
def test_a_form_that_ends_early_is_refused(cut: int) -> None:
    body = (part('form-data; name="a"', b"1") + END)[:cut]
    assert str(refusal(body)) == "400: the form ends before its last boundary"


def test_parts_are_bounded() -> None:
    assert len(events_of(part("form-data; name=a") * 3 + END, limits=SMALL)) == 6
    error = refusal(part("form-data; name=a") * 4 + END, SMALL)
    assert str(error) == "413: the form has more than 3 parts"


def test_lines_in_the_head_of_a_part_are_bounded() -> None:
    assert events_of(part("form-data; name=a", b"", "A: b") + END, limits=SMALL)
    assert refusal(part("form-data; name=a", b"", "A: b", "C: d") + END, SMALL).status == 400


@pytest.mark.parametrize("line", ["A: " + "x" * 60, "A" * 61 + ": x", "A" * 1000])
def test_the_length_of_a_line_in_the_head_of_a_part_is_bounded(line: str) -> None:
    assert refusal(part("form-data; name=a", b"", line) + END, SMALL).status == 400


@pytest.mark.parametrize(
    "disposition",
    ["", "form-data", "attachment; name=a", "form-data; filename=a", "form-data name=a"],
)
def test_7578_4_2_a_part_without_a_name_is_refused(disposition: str) -> None:
    assert "lacks Content-Disposition" in refusal(part(disposition) + END).explain


def test_a_part_without_a_disposition_is_refused() -> None:
    body = DELIMITER + b"\r\nContent-Type: text/plain\r\n\r\n\r\n" + END
    assert refusal(body).status == 400


def test_a_part_with_two_dispositions_is_refused() -> None:
    line = "Content-Disposition: form-data; name=b"
    assert "twice" in refusal(part("form-data; name=a", b"", line) + END).explain


@pytest.mark.parametrize("line", ["X: a\0b", "X: a\nb", "X: \x1b[0m", "X: \x7f"])
def test_controls_in_the_head_of_a_part_are_refused(line: str) -> None:
    assert "control" in refusal(part("form-data; name=a", b"", line) + END).explain


@pytest.mark.parametrize("coding", ["base64", "Quoted-Printable", "x-uuencode"])
def test_7578_4_7_a_transfer_encoding_is_refused(coding: str) -> None:
    line = f"Content-Transfer-Encoding: {coding}"
    assert refusal(part("form-data; name=a", b"", line) + END).status == 400


@pytest.mark.parametrize("coding", ["binary", "8BIT", "7bit"])
def test_7578_4_7_a_transfer_encoding_that_is_none_is_taken(coding: str) -> None:
    assert first_part("form-data; name=a", f"Content-Transfer-Encoding: {coding}").name == "a"


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ('"a b"', "a b"),
        ("a", "a"),
        ('""', ""),
        ('"\u00e9\u20ac"', "\u00e9\u20ac"),
        ('"a%22b"', 'a"b'),
        (r'"a\"b"', 'a"b'),
        (r'"a\\b"', r"a\b"),
        (r'"a\nb"', r"a\nb"),
        ('"a%0D%0Ab"', "a\r\nb"),
        ('"100%25"', "100%25"),
        ('"a;b"', "a;b"),
    ],
)
def test_7578_4_2_names_are_escaped_as_browsers_do_it(sent: str, name: str) -> None:
    assert first_part(f"form-data; name={sent}").name == name


@pytest.mark.parametrize(
    ("sent", "filename"),
    [
        ("a.txt", "a.txt"),
        ("", ""),
        ("/etc/passwd", "passwd"),
        ("../../a.txt", "a.txt"),
        (r"C:\new\a.txt", "a.txt"),
        ("a%0D%0Ab.txt", "ab.txt"),
        ("..", ".."),
        ("a;b.txt", "a;b.txt"),
    ],
)
def test_7578_4_2_a_filename_has_no_folders_and_no_controls(sent: str, filename: str) -> None:
    assert first_part(f'form-data; name="a"; filename="{sent}"').filename == filename


def test_the_first_of_two_names_counts() -> None:
    assert first_part('form-data; name="a"; name="b"').name == "a"


def test_the_names_of_fields_and_parameters_do_not_tell_case() -> None:
    start = first_part('Form-Data; NAME="a"; FileName="b"', "CONTENT-TYPE: image/png")
    assert (start.name, start.filename, start.content_type) == ("a", "b", "image/png")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/x-www-form-urlencoded",
        "multipart/mixed; boundary=a",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        f"multipart/form-data; boundary={'a' * 71}",
        'multipart/form-data; boundary="a "',
        'multipart/form-data; boundary="a*b"',
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary",
    ],
)
def test_2046_5_1_1_a_content_type_without_a_usable_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(RequestRejected, match=r"^400: the "):
        MultipartReader(content_type, LIMITS)


@pytest.mark.parametrize("boundary", ["a" * 70, '"a b:c=d"', "0'+_-."])
def test_2046_5_1_1_boundaries_of_every_kind_are_taken(boundary: str) -> None:
    reader = MultipartReader(f"Multipart/Form-Data; charset=utf-8; boundary={boundary}", LIMITS)
    reader.receive(f"--{boundary.strip(chr(34))}--\r\n".encode())
    assert reader.next_event() is FORM_END


def test_a_bad_form_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert refusal(DELIMITER + b"x").status == 400
    assert caplog.records == []
