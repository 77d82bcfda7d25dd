"""IOobjects on files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

import vista
from vista.errors import BadValueError
from vista.limits import Limits

pytestmark = pytest.mark.usefixtures("no_leak")


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"tide tables")
    io = vista.create("IOobject", f"file:{tmp_path}/notes")
    assert [io.read_bytes(4), io.read_bytes(), io.read_bytes()] == [b"tide", b" tables", b""]
    io.delete_yourself()


def test_a_path_without_scheme_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"tide")
    io = vista.create("IOobject", f"{tmp_path}/notes")
    assert io.read_bytes() == b"tide"
    io.delete_yourself()


@pytest.mark.parametrize(("option", "expected"), [("w", b"new"), ("a", b"oldnew"), ("rw", b"new")])
def test_writing_begins_where_the_option_says(tmp_path: Path, option: str, expected: bytes) -> None:
    (tmp_path / "notes").write_bytes(b"old")
    io = vista.create("IOobject", f"file:{tmp_path}/notes,{option}")
    assert io.write_bytes(b"new") == 3
    io.delete_yourself()
    assert (tmp_path / "notes").read_bytes() == expected


def test_text_is_written_as_utf_8(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    assert io.write_bytes("Fährmann") == 9
    io.delete_yourself()
    assert (tmp_path / "notes").read_text(encoding="utf-8") == "Fährmann"


def test_a_vector_of_more_parts_than_the_system_takes_is_written_in_order(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    assert io.write_vector_of_bytes([b"%d," % number for number in range(5_000)]) == 23_890
    io.delete_yourself()
    written = (tmp_path / "notes").read_bytes()
    assert written == b"".join(b"%d," % number for number in range(5_000))


def test_a_read_returns_no_more_than_a_megabyte_whatever_is_asked(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(bytes(3_000_000))
    io = vista.create("IOobject", f"file:{tmp_path}/notes")
    assert len(io.read_bytes(10**12)) == 1_048_576
    assert len(io.read_bytes()) == 65_536
    io.delete_yourself()


def test_a_read_of_no_bytes_is_refused(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    with pytest.raises(BadValueError, match="read_bytes takes 1 byte or more, not 0"):
        io.read_bytes(0)
    io.delete_yourself()


def test_only_bytes_and_text_can_be_written(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    with pytest.raises(BadValueError, match="only bytes and str can be written, not int"):
        io.write_bytes(7)
    io.delete_yourself()


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        vista.create("IOobject", f"file:{tmp_path}/none")
    assert str(caught.value) == f"[Errno 2] file:{tmp_path}/none,r: No such file or directory"


def test_a_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="it is a directory"):
        vista.create("IOobject", f"file:{tmp_path}")


def test_a_text_that_is_no_address_is_an_error() -> None:
    with pytest.raises(BadValueError, match="no transport 'carrier-pigeon'"):
        vista.create("IOobject", "carrier-pigeon:coop")


def test_writing_a_file_opened_for_reading_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    io = vista.create("IOobject", f"file:{tmp_path}/notes")
    with pytest.raises(OSError, match="it is closed"):
        io.write_bytes(b"x")
    io.delete_yourself()


def test_a_closed_file_has_no_id_no_descriptor_and_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    io = vista.create("IOobject", f"file:{tmp_path}/notes")
    assert io.get_id() > 0
    assert os.path.samefile(f"/proc/self/fd/{io.get_descriptor()}", tmp_path / "notes")
    io.close()
    io.close()
    assert (io.get_id(), io.get_descriptor()) == (-1, -1)
    with pytest.raises(OSError, match=f"file:{tmp_path}/notes,r: it is closed"):
        io.read_bytes()
    io.delete_yourself()


def test_an_object_told_to_delete_itself_on_close_does(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,rw")
    io.set_delete_on_close()
    io.close_for_read()
    assert io.get_id() > 0
    io.close_for_write()
    with pytest.raises(vista.NoSuchObject):
        io.get_id()


def test_an_object_told_not_to_delete_itself_stays(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    io.set_delete_on_close()
    io.clear_delete_on_close()
    io.close()
    assert io.get_id() == -1
    io.delete_yourself()


def test_deleting_the_object_closes_the_file(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    descriptor = io.get_descriptor()
    io.delete_yourself()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_file_can_always_be_read_and_written(tmp_path: Path, listener: vista.Ref) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,rw")
    io.select_for_read(listener)
    io.select_for_write(listener)
    assert listener.hear("can_read") == [io]
    assert listener.hear("can_write") == [io]
    io.delete_yourself()
    listener.delete_yourself()


def test_a_device_the_system_cannot_watch_is_read() -> None:
    io = vista.create("IOobject", "file:/dev/zero")
    assert io.read_bytes(8) == bytes(8)
    io.delete_yourself()


def test_a_named_pipe_nobody_reads_does_not_block_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device or address"):
        vista.create("IOobject", f"file:{tmp_path}/pipe,w")


def test_bytes_go_through_a_named_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = vista.create("IOobject", f"file:{tmp_path}/pipe")
    writer = vista.create("IOobject", f"file:{tmp_path}/pipe,w")
    incoming = reader.read_bytes.future()
    writer.write_bytes(b"through")
    assert incoming.result(timeout=10) == b"through"
    writer.delete_yourself()
    assert reader.read_bytes() == b""
    reader.delete_yourself()


def test_a_file_stays_open_until_the_kernel_thread_that_reads_it_is_done(
    tmp_path: Path, no_leak: None
) -> None:
    """Closed before, its descriptor's number could belong to another file by then."""

    class Occupier(vista.Object):
        @vista.native
        def occupy(self) -> None:
            go_on.wait(10)

    def read_and_delete() -> bool:
        vista.create(Occupier).occupy.future()
        io = opened.pop()
        descriptor = io.get_descriptor()
        reading = io.read_bytes.future()
        assert vista.class_of(io).name == "IOobject"
        while "read_bytes" not in [row.method for row in vista.threads()]:
            vista.sleep(0.001)
        io.delete_yourself()
        assert isinstance(reading.exception(), vista.NoSuchObject)
        return Path(f"/proc/self/fd/{descriptor}").exists()

    (tmp_path / "notes").write_bytes(b"tide")
    go_on, opened = threading.Event(), []
    with vista.Node(limits=Limits(native_threads_max=1)) as other:
        opened.append(vista.create("IOobject", f"file:{tmp_path}/notes"))
        assert other.call(read_and_delete)
        go_on.set()
        vista.create("IOobject", f"file:{tmp_path}/notes").delete_yourself()
        assert not any(
            os.path.samefile(f"/proc/self/fd/{name}", tmp_path / "notes")
            for name in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{name}")
        )


def test_file_operations_are_counted_under_the_original_names(tmp_path: Path) -> None:
    before = vista.statistics()
    io = vista.create("IOobject", f"file:{tmp_path}/notes,rw")
    io.write_bytes(b"a")
    io.write_vector_of_bytes([b"b", b"c"])
    io.read_bytes()
    io.delete_yourself()
    after = vista.statistics()
    counted = {
        name: after[name] - before.get(name, 0)
        for name in after
        if name.startswith("IOtotal") and after[name] != before.get(name, 0)
    }
    assert counted == {
        "IOtotalDescriptorsCreated": 1,
        "IOtotalDescriptorsDeleted": 1,
        "IOtotalFilesCreated": 1,
        "IOtotalFilesDeleted": 1,
        "IOtotalFileWrites": 1,
        "IOtotalFileWriteVectors": 1,
        "IOtotalFileReads": 1,
    }


def test_an_io_object_can_be_described(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    assert io.extract_instance_variables("address", "delete_on_close") == {
        "address": f"file:{tmp_path}/notes,w",
        "delete_on_close": False,
    }
    io.delete_yourself()


def test_a_channel_that_belongs_to_an_object_cannot_be_taken(tmp_path: Path) -> None:
    io = vista.create("IOobject", f"file:{tmp_path}/notes,w")
    with pytest.raises(BadValueError, match="no channel"):
        vista.create("IOobject", io.get_id())
    io.delete_yourself()
