"""How many replicas make which quorum: all arithmetic about replicas is here.

Three rules (OSDI 1999, section 3). Two certificates share a correct replica; the correct replicas
alone make a certificate; any weak certificate holds a correct replica.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista import BadValueError


@dataclass(frozen=True)
class Quorums:
    """The quorums of a group of ``replicas`` = 3f + 1.

    Raises `BadValueError` for any other number.

    >>> Quorums(4).certificate
    3
    """

    replicas: int

    def __post_init__(self) -> None:
        if self.replicas < 4 or self.replicas % 3 != 1:
            raise BadValueError(
                f"{self.replicas} replicas: Byzantine agreement takes 3f + 1, so 4, 7, 10..."
            )

    @property
    def faults(self) -> int:
        """How many replicas may be faulty: f."""
        return (self.replicas - 1) // 3

    @property
    def certificate(self) -> int:
        """Replicas whose word proves something to everybody: 2f + 1."""
        return 2 * self.faults + 1

    @property
    def prepares(self) -> int:
        """Prepares of backups that make a prepared certificate with the pre-prepare: 2f."""
        return self.certificate - 1

    @property
    def weak(self) -> int:
        """Replicas among whom one is correct: f + 1."""
        return self.faults + 1

    def primary(self, view: int) -> int:
        """Return the primary of a view: view mod n (OSDI 1999, section 4.1)."""
        return view % self.replicas
