"""ReadBuffer and SendFile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vista
from tests.standard.listener import Listener
from vista.errors import BadValueError, RemoteProtocolError


class Pieces(vista.Object):
    """Allomorphic to an IOobject for reading: gives the pieces it was made with."""

    def create(self, pieces: list[bytes]) -> None:
        """Have ``pieces`` to give, then the end."""
        self.pieces = pieces
        self.closed = False

    def select_for_read(self, client: vista.Ref) -> None:
        """A piece, or the end, is always there."""
        vista.post(client, "can_read", self)

    def read_bytes(self, maximum: int = 65_536) -> bytes:
        """Give the next piece, or what of it is allowed."""
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > maximum:
            self.pieces.insert(0, piece[maximum:])
        return piece[:maximum]

    def close_for_read(self) -> None:
        """Remember it."""
        self.closed = True

    def is_closed(self) -> bool:
        """Whether it was told to close."""
        return self.closed


class Heap(vista.Object):
    """Allomorphic to an IOobject for writing: keeps what is written."""

    def create(self) -> None:
        """Begin empty."""
        self.kept = b""

    def write_bytes(self, data: bytes) -> None:
        """Keep it."""
        self.kept += data

    def get(self) -> bytes:
        """Return all that was written."""
        return self.kept


class Broken(vista.Object):
    """A source that can be selected and not read."""

    def select_for_read(self, client: vista.Ref) -> None:
        """There is always something."""
        vista.post(client, "can_read", self)

    def read_bytes(self, maximum: int) -> bytes:
        """Fail."""
        raise RuntimeError("the disk is gone")


@pytest.fixture(autouse=True)
def _running(node: vista.Node) -> None:
    """Every test has a node."""


def buffer_of(*pieces: bytes, limit: int = 65_536) -> vista.Ref:
    """A ReadBuffer over an object that gives ``pieces``."""
    return vista.create("ReadBuffer", vista.create(Pieces, list(pieces)), limit)


# --- ReadBuffer ---------------------------------------------------------------------------------


def test_without_a_delimiter_bytes_pass_on() -> None:
    buffer = buffer_of(b"abc", b"def")
    assert [buffer.read_bytes() for _ in range(3)] == [b"abc", b"def", b""]


def test_records_end_with_their_delimiter_wherever_the_pieces_end() -> None:
    buffer = buffer_of(b"one\r", b"\ntwo\r\n\r", b"\nrest")
    buffer.set_delimiter("\r\n")
    records = [buffer.read_bytes() for _ in range(5)]
    assert records == [b"one\r\n", b"two\r\n", b"\r\n", b"rest", b""]


def test_the_original_spelling_of_delimiter_is_the_same_message() -> None:
    buffer = buffer_of(b"a;b")
    buffer.setDelimeter(";")
    assert buffer.read_bytes() == b"a;"


def test_a_record_comes_without_its_delimiter_and_the_end_is_none() -> None:
    buffer = buffer_of(b"a;;b")
    assert [buffer.read_record(";") for _ in range(4)] == [b"a", b"", b"b", None]


def test_lines_are_text_without_their_ends() -> None:
    buffer = buffer_of("Fähre\r\n\nBoot".encode())
    assert [buffer.read_line() for _ in range(4)] == ["Fähre", "", "Boot", None]


def test_a_line_that_is_no_text_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        buffer_of(b"\xff\n").read_line()


def test_a_record_longer_than_the_buffer_is_an_error_that_names_the_bound() -> None:
    buffer = buffer_of(b"12345", b"678", limit=8)
    buffer.set_delimiter("\n")
    with pytest.raises(RemoteProtocolError) as caught:
        buffer.read_bytes()
    assert str(caught.value) == r"no b'\n' within 8 bytes, the limit of this ReadBuffer"
    buffer.set_delimiter(None)
    assert buffer.read_bytes() == b"12345678"


def test_a_record_as_long_as_the_buffer_is_read() -> None:
    buffer = buffer_of(b"1234567\nx", limit=8)
    buffer.set_delimiter("\n")
    assert [buffer.read_bytes(), buffer.read_bytes()] == [b"1234567\n", b"x"]


def test_a_buffer_of_no_bytes_is_refused() -> None:
    with pytest.raises(BadValueError, match="buffer_limit must be 1 byte or more, not 0"):
        buffer_of(limit=0)


def test_a_maximum_reads_past_the_records() -> None:
    buffer = buffer_of(b"ab\ncd")
    buffer.set_delimiter("\n")
    assert [buffer.read_bytes(1), buffer.read_bytes(), buffer.read_bytes(9)] == [
        b"a",
        b"b\n",
        b"cd",
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=9)), st.binary(min_size=1, max_size=3))
def test_records_put_together_are_the_stream(pieces: list[bytes], delimiter: bytes) -> None:
    buffer = buffer_of(*pieces)
    buffer.set_delimiter(delimiter)
    records = []
    while record := buffer.read_bytes():
        records.append(record)
    assert b"".join(records) == b"".join(pieces)
    assert all(record.find(delimiter) == len(record) - len(delimiter) for record in records[:-1])


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[vista.Ref, vista.Ref]]:
    """The reading and the writing end of a pipe."""
    os.mkfifo(tmp_path / "pipe")
    ends = [vista.create("IOobject", f"file:{tmp_path}/pipe,{option}") for option in "rw"]
    yield ends[0], ends[1]
    for end in ends:
        end.delete_yourself()


Pipe = tuple[vista.Ref, vista.Ref]


def test_a_client_is_told_when_a_whole_record_is_there(pipe: Pipe, listener: vista.Ref) -> None:
    source, sink = pipe
    buffer = vista.create("ReadBuffer", source)
    buffer.set_delimiter("\n")
    buffer.select_for_read(listener)
    sink.write_bytes(b"half a ")
    with pytest.raises(TimeoutError):
        listener.hear("can_read", 0.05)
    sink.write_bytes(b"line\n")
    assert listener.hear("can_read") == [buffer]
    assert buffer.read_bytes() == b"half a line\n"


def test_a_client_is_told_at_once_of_a_record_that_waits(listener: vista.Ref) -> None:
    buffer = buffer_of(b"a\nb\n")
    buffer.set_delimiter("\n")
    buffer.read_bytes()
    buffer.select_for_read(listener)
    assert listener.hear("can_read") == [buffer]


def test_a_client_is_told_of_the_end(pipe: Pipe, listener: vista.Ref) -> None:
    source, sink = pipe
    buffer = vista.create("ReadBuffer", source)
    buffer.set_delimiter("\n")
    buffer.select_for_read(listener)
    sink.close()
    assert listener.hear("can_read") == [buffer]
    assert buffer.read_bytes() == b""


def test_threads_that_read_get_whole_records_in_their_order(pipe: Pipe) -> None:
    source, sink = pipe
    buffer = vista.create("ReadBuffer", source)
    buffer.set_delimiter("\n")
    reading = [buffer.read_bytes.future() for _ in range(3)]
    for piece in (b"on", b"e\nt", b"wo\nthree\n"):
        sink.write_bytes(piece)
    assert vista.gather(*reading) == [b"one\n", b"two\n", b"three\n"]


def test_a_buffer_stands_in_for_its_source(pipe: Pipe) -> None:
    source, sink = pipe
    buffer = vista.create("ReadBuffer", sink)
    assert buffer.write_bytes("through") == 7
    assert buffer.write_vector_of_bytes([b" and", b" through"]) == 12
    assert source.read_bytes() == b"through and through"
    assert (buffer.get_id(), buffer.get_descriptor()) == (sink.get_id(), sink.get_descriptor())
    buffer.close_for_write()
    assert sink.get_id() == -1


def test_deleting_a_buffer_leaves_its_source(pipe: Pipe) -> None:
    source, _ = pipe
    vista.create("ReadBuffer", source).delete_yourself()
    assert source.get_id() > 0


# --- SendFile -----------------------------------------------------------------------------------


def test_a_file_is_copied_whole(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "from").write_bytes(data)
    source = vista.create("IOobject", f"file:{tmp_path}/from")
    destination = vista.create("IOobject", f"file:{tmp_path}/to,w")
    copying = vista.create("SendFile", source, destination)
    assert copying.get_bytes_copied() == 300_000
    assert (tmp_path / "to").read_bytes() == data
    assert source.get_id() == -1


def test_copying_stops_at_its_bound_and_leaves_the_source_open() -> None:
    source, heap = vista.create(Pieces, [b"abc", b"def", b"ghi"]), vista.create(Heap)
    assert vista.create("SendFile", source, heap, 5).get_bytes_copied() == 5
    assert (heap.get(), source.is_closed()) == (b"abcde", False)
    assert source.read_bytes() == b"f"


def test_the_source_is_told_to_close_at_its_end() -> None:
    source, heap = vista.create(Pieces, [b"abc", b"def"]), vista.create(Heap)
    assert vista.create("SendFile", source, heap).get_bytes_copied() == 6
    assert (heap.get(), source.is_closed()) == (b"abcdef", True)


def test_a_source_shorter_than_the_bound_is_copied_whole() -> None:
    source, heap = vista.create(Pieces, [b"abc"]), vista.create(Heap)
    assert vista.create("SendFile", source, heap, 100).get_bytes_copied() == 3


def test_a_bound_of_nothing_copies_nothing() -> None:
    source, heap = vista.create(Pieces, [b"abc"]), vista.create(Heap)
    assert vista.create("SendFile", source, heap, 0).get_bytes_copied() == 0


def test_blocks_are_as_long_as_asked_at_most() -> None:
    class Blocks(Listener):
        def write_bytes(self, data: bytes) -> None:
            self.handle_unknown_message("write", [len(data)], {})

    blocks = vista.create(Blocks)
    vista.create("SendFile", vista.create(Pieces, [b"abcdefg"]), blocks, -1, 3).get_bytes_copied()
    assert [blocks.hear("write") for _ in range(3)] == [[3], [3], [1]]


@pytest.mark.parametrize("arguments", [(-2, None), (-1, 0), (-1, 2**30)])
def test_bounds_that_make_no_sense_are_refused(arguments: tuple[int, int | None]) -> None:
    with pytest.raises(BadValueError):
        vista.create("SendFile", vista.create(Pieces, []), vista.create(Heap), *arguments)


def test_the_error_of_a_source_reaches_who_asks_for_the_result() -> None:
    copying = vista.create("SendFile", vista.create(Broken), vista.create(Heap))
    with pytest.raises(RuntimeError, match="the disk is gone"):
        copying.get_bytes_copied()


def test_the_error_of_a_destination_reaches_who_asks_for_the_result() -> None:
    copying = vista.create("SendFile", vista.create(Pieces, [b"abc"]), vista.create(Pieces, []))
    with pytest.raises(vista.NoSuchMethod):
        copying.get_bytes_copied()


def test_who_waits_for_a_copy_that_is_deleted_is_told(pipe: Pipe) -> None:
    source, _ = pipe
    copying = vista.create("SendFile", source, vista.create(Heap))
    asking = copying.get_bytes_copied.future()
    copying.delete_yourself()
    with pytest.raises(vista.ObjectDeleted):
        asking.result(timeout=10)
