"""Address texts: what each form means, and what is said of the ones that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vista.errors import BadValueError
from vista.standard.addresses import Address, parse_address

MEANINGS = [
    ("file:notes.txt", Address("file", path="notes.txt", option="r")),
    ("file:notes.txt,w", Address("file", path="notes.txt", option="w")),
    ("file:notes.txt,a", Address("file", path="notes.txt", option="a")),
    ("file:/var/log/x,rw", Address("file", path="/var/log/x", option="rw")),
    ("notes.txt", Address("file", path="notes.txt", option="r")),
    ("./odd:name,r", Address("file", path="./odd:name", option="r")),
    ("file:a,b.txt", Address("file", path="a,b.txt", option="r")),
    ("tcp:localhost:80", Address("tcp", host="localhost", port=80)),
    ("tcp:[::1]:80", Address("tcp", host="::1", port=80)),
    ("tcp:127.0.0.1:0,l", Address("tcp", host="127.0.0.1", port=0, option="l")),
    ("tcp:0.0.0.0:4321", Address("tcp", host="0.0.0.0", port=4321, option="l")),
    ("tcp:[::]:4321", Address("tcp", host="::", port=4321, option="l")),
    ("tcp:*:4321", Address("tcp", host="", port=4321, option="l")),
    ("unix:/run/x.socket", Address("unix", path="/run/x.socket")),
    ("unix:/run/x.socket,l", Address("unix", path="/run/x.socket", option="l")),
]


@pytest.mark.parametrize(("text", "meaning"), MEANINGS)
def test_an_address_means_what_the_table_says(text: str, meaning: Address) -> None:
    assert parse_address(text) == meaning


@pytest.mark.parametrize("meaning", [meaning for _, meaning in MEANINGS])
def test_the_text_of_an_address_reads_back_as_the_same_address(meaning: Address) -> None:
    assert parse_address(str(meaning)) == meaning


MISTAKES = [
    ("", "'': the path is missing; a file is file:PATH or file:PATH,w"),
    ("file:", "'file:': the path is missing; a file is file:PATH or file:PATH,w"),
    ("file:,w", "'file:,w': the path is missing; a file is file:PATH or file:PATH,w"),
    ("unix:", "'unix:': the path is missing; a Unix-domain socket is unix:PATH"),
    (
        "tcp:localhost",
        "'tcp:localhost': a TCP address is tcp:HOST:PORT, with an IPv6 address in brackets",
    ),
    (
        "tcp:::1:80",
        "'tcp:::1:80': a TCP address is tcp:HOST:PORT, with an IPv6 address in brackets",
    ),
    ("tcp:localhost:0", "'tcp:localhost:0': the port lies in 1..65535, not 0"),
    ("tcp:localhost:70000,l", "'tcp:localhost:70000,l': the port lies in 0..65535, not 70000"),
    ("udp:a:1", "'udp:a:1': no transport 'udp'; an address begins with file:, tcp: or unix:"),
    ("file:a\0b", "'file:a\\x00b': an address holds no NUL character"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_is_named_with_what_was_expected(text: str, words: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_address(text)
    assert str(caught.value) == words


def test_something_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadValueError, match="an address is a text such as"):
        parse_address(7)  # type: ignore[arg-type]


def test_a_unix_path_longer_than_the_system_takes_is_refused() -> None:
    with pytest.raises(BadValueError, match="at most 107 bytes"):
        parse_address("unix:/" + "é" * 60)


def test_a_file_cannot_be_listened_on() -> None:
    with pytest.raises(BadValueError, match="a file cannot be listened on"):
        parse_address("file:notes.txt", listens=True)


@pytest.mark.parametrize("text", ["tcp:localhost:0", "unix:/run/x", "tcp:localhost:0,l"])
def test_an_address_is_read_as_one_to_listen_on(text: str) -> None:
    assert str(parse_address(text, listens=True)) == text.removesuffix(",l") + ",l"


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_the_named_error(text: str) -> None:
    try:
        address = parse_address(text)
    except BadValueError:
        return
    assert parse_address(str(address)) == address
