"""What ``vista COMMAND --help`` prints, for each command."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_PEER = """\

  --connect URL   the peer: tcp://KEY@HOST:PORT, ipc:PATH or ipc:NAME; without
                  it the only node that listens in this user's socket directory
  --at NODE       a node behind the peer instead of it: its name, or the first
                  part of its identity, both as vista ps shows them
  --timeout S     how long to wait for the peer and its answer, in seconds (5)
  --json          print one JSON document instead of a table

Exit codes: 0 done; 1 the peer did not answer or refused; 2 a mistake in the
command line."""


def _about_peer(usage: str, text: str) -> str:
    return f"usage: vista {usage}\n\n{text}\n{_PEER}\n"


COMMAND_HELP: Mapping[str, str] = MappingProxyType(
    {
        "authorize": """\
usage: vista authorize KEY USER RIGHTS [--directory D]
       vista authorize --list | --remove KEY [--directory D]

Let in a peer of another user: KEY is its public key, USER the user that its
messages run as here, RIGHTS some of call,create,code or all. --directory names
another directory than the user's own.
""",
        "check": """\
usage: vista check FILE [ARGUMENTS]

Find every mistake in an rc file and start nothing. The exit code is 2 when
there is one.
""",
        "classes": _about_peer(
            "classes [--connect URL] [--at NODE] [OPTIONS]",
            """\
The installed classes; with --connect or --json those that a running node knows,
with the number of their objects.""",
        ),
        "doc": """\
usage: vista doc CLASS

What an installed class is for, what its create takes and what it answers.
""",
        "keygen": """\
usage: vista keygen [--force] [--directory D]

Make this user's key pair and show the public key. --force puts another one in
place of the one there is; --directory names another directory than the user's
own.
""",
        "objects": _about_peer(
            "objects [--connect URL] [--at NODE] [OPTIONS]",
            "The objects of a running node, oldest first.",
        ),
        "peers": _about_peer(
            "peers [--connect URL] [--at NODE] [OPTIONS]",
            """\
The nodes that a running node can reach, the nearest first: on how many links,
by which, as which user they act there, and what a direct link has carried.""",
        ),
        "ps": _about_peer(
            "ps [--connect URL] [--at NODE] [OPTIONS]",
            """\
A running node and all that it can reach: name, uptime, objects, threads, calls
since the start, links.""",
        ),
        "solidstate": """\
usage: vista solidstate status URL [--group NAME] [--json]
       vista solidstate COMMAND URL ... [--group NAME] [--json]

status asks every machine of the pools that the node at URL can reach how its
replicas are: who leads, how far each is, what it reported last. The others
change and save a group, by way of the machine that founded it:

  add URL NODE            have a machine come in (--client: as a client alone)
  remove URL WHO          have a replica leave; WHO is its number or its node
  replace URL WHO NODE    have a machine take the place of a replica
  handover URL [WHO]      have another replica lead
  recover URL [WHO]       have a replica start again from its disk, or all
  backup URL FILE         write the state of the group to a file
  restore URL FILE        found a group on fresh servers from such a file

vista solidstate COMMAND --help says more. Exit codes: 0 it was done, or all is
well; 1 it was not; 2 a mistake in the command line.
""",
        "starship": """\
usage: vista starship URL [--ship NAME] [--create NAME RACE] [--no-colour]
       vista starship URL --once | --json [--ship NAME] [--create NAME RACE]

Play StarShip on this terminal, at the web site URL of any of a game's servers.
You come back to the ship that you had there the last time.

  --ship NAME          play this ship, or look at it if it is not yours
  --create NAME RACE   make a ship first; NAME - for one of its race's names,
                       RACE is F, K, R or O
  --once               print one screen and end
  --json               print the state of the ship as JSON and end
  --no-colour          draw without colours, as with the variable NO_COLOR

Where nothing can be drawn upon (TERM=dumb, a pipe) commands are read line by
line. help lists them. Exit codes: 0 done; 1 refused; 2 no server, or a mistake
in the command line.
""",
        "repl": """\
usage: vista repl [--connect URL] [--state DIRECTORY] [FILE [ARGUMENTS]]

A Python prompt on a node of its own, which has booted FILE; the objects that
FILE keeps under names are variables. With --connect the node joins a peer
first, waits until it answers, and opens the link again whenever it is lost; the
variable peer is the peer's ObjectCreator. With --state the node keeps in that
directory what outlives it, and is the same one next time. What follows --
belongs to FILE.
""",
        "send": _about_peer(
            "send [--connect URL] [OPTIONS] TARGET METHOD [ARGUMENTS]",
            """\
Send a message to an object and print the result. TARGET is an Id or a service
name as the peer finds it; ARGUMENTS are written as in an rc file. Options stand
before TARGET.""",
        ),
        "services": _about_peer(
            "services [--connect URL] [--at NODE] [OPTIONS]",
            "The services of a running node and those that its peers announce to it.",
        ),
        "threads": _about_peer(
            "threads [--connect URL] [--at NODE] [OPTIONS]",
            "The threads of a running node: what they run and for what they wait.",
        ),
        "top": _about_peer(
            "top [--connect URL] [--interval S] [--count N] [OPTIONS]",
            """\
What a running node does: calls a second, loop lag, queues, the slowest methods.
--interval says how often it is shown, in seconds (1), --count how many times
(for ever: Ctrl-C ends it). With --json each report is one line.""",
        ),
    }
)
