"""Trusted counters: what a USIG promises, and the software one in a process of its own."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.solidstate.counter_device import (
    MESSAGE_BYTES_MAX,
    Device,
    answer,
    main,
    read_message,
    serve,
    write_message,
)
from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.membership import reconfiguration
from apps.solidstate.pbft.usig import (
    COUNTER_MAX,
    UI,
    Usig,
    base_of,
    certify,
    epoch_of_count,
    member_key,
    read_ui,
    ui_bytes,
)
from apps.solidstate.trusted_counter import DeviceKeys, ProcessUsig, device_name
from tests.solidstate.lab import ROOT, Lab
from vista import StoreError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "device"


def keys_of(device: Device | ProcessUsig) -> DeviceKeys:
    return DeviceKeys({0: (device.epoch, device.public_key)})


def counters(*uis: bytes) -> list[int]:
    found = [read_ui(ui) for ui in uis]
    return [ui.counter for ui in found if ui is not None]


class TestDevice:
    """The counter itself, in this process."""

    def test_numbers_follow_each_other_from_one(self, folder: Path) -> None:
        device = Device(folder)
        assert counters(*(device.create_ui(b"m") for _ in range(3))) == [1, 2, 3]
        device.close()

    def test_a_ui_is_for_one_message_of_one_replica(self, folder: Path) -> None:
        device = Device(folder)
        ui, keys = device.create_ui(b"this"), keys_of(device)
        assert keys.verify_ui(0, b"this", ui) == 1
        assert keys.verify_ui(0, b"that", ui) is None
        assert keys.verify_ui(1, b"this", ui) is None
        device.close()

    def test_a_ui_with_another_number_is_none(self, folder: Path) -> None:
        device = Device(folder)
        ui = read_ui(device.create_ui(b"this"))
        assert ui is not None
        changed = ui_bytes(ui._replace(counter=2))
        assert keys_of(device).verify_ui(0, b"this", changed) is None
        device.close()

    def test_it_counts_on_in_its_epoch_after_a_restart(self, folder: Path) -> None:
        device = Device(folder)
        first, keys = device.create_ui(b"m"), keys_of(device)
        device.close()
        again = Device(folder)
        second = again.create_ui(b"m")
        assert [keys.verify_ui(0, b"m", ui) for ui in (first, second)] == [1, 2]
        again.close()

    def test_a_ui_whose_answer_was_lost_can_be_had_again(self, folder: Path) -> None:
        device = Device(folder)
        lost = device.create_ui(b"m")
        device.close()
        again = Device(folder)
        assert certify(again, 1, b"m") == lost
        assert counters(certify(again, 2, b"n")) == [2]
        again.close()

    def test_what_is_forgotten_is_kept_no_longer_and_not_counted_again(self, folder: Path) -> None:
        device = Device(folder)
        uis = [device.create_ui(b"m") for _ in range(3)]
        device.forget(2)
        assert [device.kept(number) for number in (1, 2, 3)] == [None, None, uis[2]]
        device.forget(99)
        device.close()
        again = Device(folder)
        assert counters(again.create_ui(b"m")) == [4]
        again.close()

    def test_numbers_up_to_a_base_are_passed_over_for_good(self, folder: Path) -> None:
        device = Device(folder)
        keys = keys_of(device)
        uis = [device.create_ui(b"m", base) for base in (0, 1000, 1000, 5)]
        assert counters(*uis) == [1, 1001, 1002, 1003]
        device.forget(1001)
        device.close()
        again = Device(folder)
        assert again.kept(1002) == uis[2] and keys.verify_ui(0, b"m", uis[3]) == 1003
        assert counters(again.create_ui(b"m")) == [1004]
        again.close()

    def test_what_is_made_for_an_epoch_of_a_group_counts_there(self, folder: Path) -> None:
        device = Device(folder)
        first = base_of(3) + 1
        assert counters(certify(device, 1, b"m"), certify(device, first, b"m")) == [1, first]
        assert [epoch_of_count(number) for number in (1, base_of(3), first)] == [0, 2, 3]
        device.close()

    def test_a_torn_number_has_not_left_and_is_free(self, folder: Path) -> None:
        device = Device(folder)
        device.create_ui(b"m")
        whole = (folder / "counter").read_bytes()
        device.create_ui(b"lost")
        device.close()
        torn = (folder / "counter").read_bytes()[: len(whole) + 9]
        (folder / "counter").write_bytes(torn)
        again = Device(folder)
        assert counters(again.create_ui(b"other")) == [2]
        again.close()

    def test_a_count_that_is_damaged_counts_no_more(self, folder: Path) -> None:
        device = Device(folder)
        for _ in range(3):
            device.create_ui(b"m")
        device.close()
        data = bytearray((folder / "counter").read_bytes())
        data[60] ^= 1
        (folder / "counter").write_bytes(data)
        with pytest.raises(StoreError, match=r"the count is lost"):
            Device(folder)

    def test_a_device_that_lost_its_count_is_another_one(self, folder: Path) -> None:
        device = Device(folder)
        keys = keys_of(device)
        device.close()
        (folder / "counter").unlink()
        other = Device(folder)
        assert keys.verify_ui(0, b"m", other.create_ui(b"m")) is None
        other.close()

    def test_two_do_not_count_in_one_folder(self, folder: Path) -> None:
        device = Device(folder)
        with pytest.raises(StoreError, match=r"another process counts here"):
            Device(folder)
        device.close()

    def test_whose_disk_fails_says_so_and_ends(self, folder: Path) -> None:
        device = Device(folder)
        os.close(device._file)
        device._file = os.open("/dev/full", os.O_WRONLY)
        source, sink = io.BytesIO(), io.BytesIO()
        for _ in range(2):
            write_message(source, ["create", b"m", 0])
        source.seek(0)
        assert serve(device, source, sink) == 1
        device.close()
        sink.seek(0)
        match read_message(sink):
            case ["error", str(words)]:
                assert "No space left" in words and "start the replica anew" in words
            case other:
                raise AssertionError(other)
        assert read_message(sink) is None
        again = Device(folder)
        assert counters(again.create_ui(b"m")) == [1]
        again.close()

    def test_its_file_stays_small(self, folder: Path) -> None:
        device = Device(folder, records_max=8)
        for number in range(40):
            device.create_ui(b"m")
            device.forget(number)
        assert (folder / "counter").stat().st_size < 300 * 8
        device.close()
        again = Device(folder)
        assert counters(again.create_ui(b"m")) == [41]
        again.close()

    def test_its_last_number_is_the_last_one(self, folder: Path) -> None:
        device = Device(folder)
        _, last = answer(device, ["create", b"m", COUNTER_MAX - 1])
        assert counters(last) == [COUNTER_MAX]
        for base in (0, COUNTER_MAX - 1, 2**63):
            kind, words = answer(device, ["create", b"m", base])
            assert kind == "error" and f"its count is {COUNTER_MAX}" in words
        assert answer(device, ["kept", COUNTER_MAX]) == ["ok", last]
        device.close()

    @pytest.mark.parametrize(
        "request_", [None, [], ["create", b"m"], ["create", "m", 0], ["kept", b"1"], ["secret"]]
    )
    def test_it_is_asked_for_four_things(self, folder: Path, request_: object) -> None:
        device = Device(folder)
        assert answer(device, request_)[0] == "error"
        assert answer(device, ["create", bytes(MESSAGE_BYTES_MAX + 1), 0])[0] == "error"
        assert answer(device, ["create", b"m", COUNTER_MAX])[0] == "error"
        assert device.counter == 0
        device.close()


@given(st.binary(max_size=40))
def test_bytes_are_a_ui_or_none(data: bytes) -> None:
    ui = read_ui(data)
    assert ui is None or ui.counter > 0


@pytest.mark.parametrize(
    "fields", [[0, 0, b""], [0, 2**63, b""], [-1, 1, b""], [True, 1, b""], [0, 1, "x"], [0, 1]]
)
def test_a_ui_has_an_epoch_a_number_and_a_certificate(fields: list[object]) -> None:
    assert read_ui(pack(fields)) is None
    assert read_ui(ui_bytes(UI(0, 1, b"c"))) == UI(0, 1, b"c")


class TestPipe:
    """The words between a replica and its device."""

    def test_messages_come_as_they_went_and_end(self) -> None:
        pipe = io.BytesIO()
        write_message(pipe, ["create", b"m"])
        pipe.seek(0)
        assert read_message(pipe) == ["create", b"m"]
        assert read_message(pipe) is None

    def test_one_that_is_cut_is_the_end(self) -> None:
        pipe = io.BytesIO()
        write_message(pipe, ["create", b"m"])
        assert read_message(io.BytesIO(pipe.getvalue()[:-1])) is None

    def test_one_that_is_too_long_is_refused(self) -> None:
        with pytest.raises(MalformedMessage, match=r"are the most"):
            read_message(io.BytesIO(b"\xff\xff\xff\xff"))


def test_the_device_takes_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "FOLDER" in capsys.readouterr().err


class TestProcess:
    """The device in a process of its own."""

    def test_it_keeps_the_promises_of_a_usig(self, folder: Path) -> None:
        with ProcessUsig(folder) as usig:
            device: Usig = usig
            keys = keys_of(usig)
            uis = [device.create_ui(b"m") for _ in range(3)]
            assert [keys.verify_ui(0, b"m", ui) for ui in uis] == [1, 2, 3]
            device.forget(1)
            assert (device.kept(1), device.kept(2), device.kept(4)) == (None, uis[1], None)
            assert counters(device.create_ui(b"m", 100)) == [101]

    def test_killed_it_has_lost_nothing(self, folder: Path) -> None:
        with ProcessUsig(folder) as usig:
            first, epoch = usig.create_ui(b"m"), usig.epoch
            os.kill(usig.pid, signal.SIGKILL)
            with pytest.raises(StoreError, match=r"has ended"):
                usig.create_ui(b"n")
        with ProcessUsig(folder) as again:
            assert again.epoch == epoch
            assert certify(again, 1, b"m") == first
            assert counters(certify(again, 2, b"n")) == [2]

    def test_a_key_pressed_for_the_replica_does_not_end_it(self, folder: Path) -> None:
        with ProcessUsig(folder) as usig:
            os.kill(usig.pid, signal.SIGINT)
            assert counters(usig.create_ui(b"m")) == [1]

    def test_what_is_wrong_at_its_start_is_said(self, folder: Path) -> None:
        with ProcessUsig(folder), pytest.raises(StoreError, match=r"another process counts here"):
            ProcessUsig(folder)

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(StoreError, match=r"Not a directory: '.*file/device'"):
            ProcessUsig(tmp_path / "file" / "device")

    def test_after_its_end_it_says_so(self, folder: Path) -> None:
        usig = ProcessUsig(folder)
        usig.close()
        with pytest.raises(StoreError, match=r"has ended"):
            usig.create_ui(b"m")


def test_what_names_a_device_is_learnt_and_nothing_else(folder: Path) -> None:
    device = Device(folder)
    keys, name = DeviceKeys({}), device_name(device.epoch, device.public_key)
    ui = device.create_ui(b"m")
    for data in (b"", b"x", pack([1, b"short"]), pack([b"k" * 32, 1]), pack([True, b"k" * 32])):
        assert not keys.is_device(data)
        keys.learn(0, data)
    assert keys.verify_ui(0, b"m", ui) is None
    assert keys.is_device(name)
    keys.learn(0, name)
    assert keys.verify_ui(0, b"m", ui) == 1
    device.close()


def test_a_group_agrees_by_the_device_of_one_that_came_into_it(tmp_path: Path) -> None:
    devices = {number: Device(tmp_path / str(number)) for number in range(4)}
    found = {n: (devices[n].epoch, devices[n].public_key) for n in range(3)}
    lab = Lab(usigs=devices, verifier=DeviceKeys(found), replicas=3, minbft=True)
    lab.join(3)
    key = member_key(lab.authority.key(3), device_name(devices[3].epoch, devices[3].public_key))
    lab.ask(ROOT, *unpack(reconfiguration(lab.membership, {3: key}, [1])))
    lab.pass_time(2.0)
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    lab.ask("ann", "put", "a", b"1")
    assert lab.executed() == [2, 1, 1, 2] and len(lab.answers["ann"]) == 1
    for device in devices.values():
        device.close()


def test_a_group_agrees_by_devices_and_survives_the_death_of_one(tmp_path: Path) -> None:
    devices = {number: Device(tmp_path / str(number)) for number in (0, 1)}
    with ProcessUsig(tmp_path / "2") as process:
        found = {n: (one.epoch, one.public_key) for n, one in devices.items()}
        keys = DeviceKeys({**found, 2: (process.epoch, process.public_key)})
        lab = Lab(usigs={**devices, 2: process}, verifier=keys, replicas=3, minbft=True)
        lab.ask("ann", "put", "a", b"1")
        os.kill(process.pid, signal.SIGKILL)
    with ProcessUsig(tmp_path / "2") as again:
        lab.usigs[2] = again
        lab.restart(2)
        lab.drops = lambda sender, to, message: 0 in (sender, to)
        lab.ask("ann", "put", "a", b"2")
        lab.pass_time(5.0)
    assert [unpack(answer)[1] for answer in lab.answers["ann"]] == [None, b"1"]
    for device in devices.values():
        device.close()
