"""A peer in a process of its own: sends back what it gets.

``python -m tests.live.echo listen URL SECRET`` prints the port; ``connect URL SECRET`` sends one
message first. SECRET is in hexadecimal.
"""

from __future__ import annotations

import asyncio
import sys

from vista.peering.sockets import ZeroMQNetwork
from vista.peering.transport import Channel
from vista.peering.urls import PeerUrl


def _echo(channel: Channel) -> None:
    channel.receive = channel.send
    channel.lost = lambda why: print(f"lost: {why}", flush=True)


async def main(role: str, text: str, secret: str) -> None:
    """Play the role until somebody ends the process."""
    network = ZeroMQNetwork(asyncio.get_running_loop())
    url, key = PeerUrl.parse(text), bytes.fromhex(secret)
    if role == "listen":
        listener = network.listen(url, secret_key=key, admits=lambda key, where: True, accept=_echo)
        print(listener.url.port, flush=True)
    else:
        channel = network.connect(url, secret_key=key)
        _echo(channel)
        channel.send([b"hello"])
        print("connecting", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
