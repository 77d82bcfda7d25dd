"""Channels to addresses at which nobody listens: they say so, and go on trying."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.ends import TCP, End, Side, ipc, run, sides, until
from vista.peering.sockets.knocking import knock
from vista.peering.urls import PeerUrl


def reasons_of(connecting: Side, url: PeerUrl) -> tuple[End, list[str]]:
    """A channel that connects, and what it says of why it reaches nobody."""
    near = connecting.connect(url)
    told: list[str] = []
    near.channel.unreached = told.append
    return near, told


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("left", [False, True], ids=["missing", "left by a dead process"])
def test_a_socket_at_which_nobody_listens_is_told_until_somebody_does(
    tmp_path: Path, left: bool
) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            url = ipc(tmp_path)
            if left:
                with socket.socket(socket.AF_UNIX) as dead:
                    dead.bind(url.path)
            near, told = reasons_of(b, url)
            near.channel.send([b"hello"])
            await until(lambda: told)
            assert told == ["nobody listens at this socket"]
            a.listen(url)
            await until(lambda: a.accepted and a.accepted[0].messages)
            assert told == ["nobody listens at this socket", ""]
            assert near.losses == []

    run(body)


def test_a_port_at_which_nobody_listens_is_told_until_somebody_does() -> None:
    async def body() -> None:
        async with sides() as (a, b):
            url = replace(TCP, port=free_port(), key=a.public)
            near, told = reasons_of(b, url)
            near.channel.send([b"hello"])
            await until(lambda: told)
            assert told == [f"nobody listens at port {url.port} of 127.0.0.1"]
            a.listen(replace(url, key=None))
            await until(lambda: a.accepted and a.accepted[0].messages)
            assert told[1:] == [""]

    run(body)


def test_who_reaches_somebody_says_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            for url in (ipc(tmp_path), TCP):
                near, told = reasons_of(b, a.listen(url).url)
                near.channel.send([b"hello"])
                await until(lambda: a.accepted and a.accepted.pop().messages)
                assert told == []

    run(body)


def test_a_knock_at_an_open_port_finds_somebody_who_takes_no_notice() -> None:
    async def body() -> None:
        async with sides(1) as (a,):
            listener = a.listen(TCP)
            assert await knock("127.0.0.1", listener.url.port, 10.0) == ""
            assert a.accepted == []

    run(body)


def test_an_accepted_peer_is_named_by_its_process_or_its_address(tmp_path: Path) -> None:
    async def body() -> None:
        async with sides() as (a, b):
            named = []
            for url in (ipc(tmp_path), TCP):
                listener = a.listen(url)
                b.connect(listener.url).channel.send([b"hello"])
                await until(lambda: a.accepted)
                named.append(a.accepted.pop().channel.words)
            assert named == [
                f"process {os.getpid()} over ipc://{tmp_path}/node",
                f"127.0.0.1 over tcp://127.0.0.1:{listener.url.port}",
            ]

    run(body)
