"""A process that forks nodes with persistent objects, to be killed: see test_persistence_kill.

It has imported everything, so that a node starts in a few milliseconds. For each line on its
standard input, the path of a state directory, it forks one, and says ``ended`` when that is gone.
"""

from __future__ import annotations

import os
import sys

import vista
from vista.standard.persistence import PersistentObject

WRITERS = 4


class Twins(PersistentObject):
    """Two numbers that are equal whenever a method has ended."""

    def create(self, size: int) -> None:
        """Begin at 0, with so many bytes beside."""
        self.left = self.right = 0
        self.ballast = bytes(size)
        self.initialize(durable=True)

    @vista.exclusive
    def step(self) -> int:
        """Count both, waiting in between."""
        self.left += 1
        vista.sleep(0.0)
        self.right += 1
        return self.right

    def look(self) -> tuple[int, int]:
        """Return both."""
        return self.left, self.right


def say(*words: object) -> None:
    """Write a line in one piece."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def live(directory: str) -> None:
    """Tell of the objects that came back, then change them for ever and say each reply."""

    def main() -> None:
        vista.create("PersistenceService")
        found = [row.id for row in vista.objects() if row.class_name == "Local.Twins"]
        for id in found:
            say("found", id, *vista.send(id, "look"))
        say("ready")
        vista.gather(*(vista.future("Writers", "write", number) for number in range(WRITERS)))

    with vista.Node(state_directory=directory) as node:
        node.call(lambda: vista.register_service("Writers", vista.create(Writer)))
        node.call(main)


class Writer(vista.Object):
    """Changes twins, several threads at a time."""

    @vista.preemptable
    def write(self, number: int) -> None:
        """Make twins, change them, delete them, and say so when it is safe."""
        rounds = 0
        while True:
            twins = vista.create(Twins, (0, 100, 5_000, 60_000)[number])
            id = vista.id_of(twins)
            say("made", id)
            for _ in range(5):
                say("step", id, twins.step())
            rounds += 1
            if rounds % 4:
                say("goes", id)
                twins.delete_yourself()
                say("gone", id)


def main() -> None:
    """Fork a node for each line."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            say("pid", os.getpid())
            live(line.strip())
            os._exit(0)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
