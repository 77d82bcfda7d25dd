"""The classes of name space Standard, one for each word of an rc file, grouped by subject.

`CLASSES` says in which module each is, as data: a class is imported when an rc line, a message or a
program first names it, and not before.
"""

from __future__ import annotations

from typing import Final

CLASSES: Final[dict[str, str]] = {
    "AcceptConnection": "vista.standard.io",
    "AcceptPeerConnections": "vista.standard.peers",
    "AllowExecProcess": "vista.standard.execution",
    "AnnounceServices": "vista.standard.peers",
    "AutomaticClassLoader": "vista.standard.loading",
    "AutomaticIPCMesh": "vista.standard.mesh",
    "ConnectToPeer": "vista.standard.peers",
    "ConsoleDisplay": "vista.standard.console",
    "CreateObjects": "vista.standard.creator",
    "CreateOnEveryNode": "vista.standard.placing",
    "ExecProcess": "vista.standard.execution",
    "IOobject": "vista.standard.io",
    "JobController": "vista.standard.jobs",
    "JobServer": "vista.standard.job_server",
    "LoadClassFile": "vista.standard.loading",
    "ObjectCreator": "vista.standard.creator",
    "PeerConnection": "vista.standard.peers",
    "PeerRegistry": "vista.standard.peers",
    "PersistenceService": "vista.standard.persistence",
    "PersistentObject": "vista.standard.persistence",
    "ProcessMesh": "vista.standard.placing",
    "ReadBuffer": "vista.standard.streams",
    "RepeatingTimerEvent": "vista.standard.timers",
    "SendFile": "vista.standard.streams",
    "ShutdownService": "vista.standard.services",
    "Statistics": "vista.standard.services",
    "TimerEvent": "vista.standard.timers",
    "VirtualConsole": "vista.standard.console",
}
"""Class name -> the module that defines it."""
