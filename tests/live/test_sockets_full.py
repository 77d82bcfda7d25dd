"""Channels when the process has no more sockets to give, for a while."""

from __future__ import annotations

from pathlib import Path

from tests.live.ends import ipc, run, sides, until
from vista.peering.sockets import SocketBounds


def test_a_channel_for_which_no_socket_can_be_made_is_tried_until_one_can(tmp_path: Path) -> None:
    async def body() -> None:
        # Three sockets of ZeroMQ's for each channel.
        async with sides(1) as (listening,), sides(1, SocketBounds(connections_max=2)) as (near,):
            url = listening.listen(ipc(tmp_path)).url
            first, second = near.connect(url), near.connect(url)
            for end in (first, second):
                end.channel.send([b"early"])
            await until(lambda: len(listening.accepted) == 2)
            third = near.connect(url)
            third.channel.send([b"late"])
            first.channel.close()
            await until(lambda: len(listening.accepted) == 3)
            await until(lambda: listening.accepted[-1].messages == [[b"late"]])
            assert third.losses == []

    run(body)
