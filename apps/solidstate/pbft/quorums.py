"""How many replicas make which quorum: all arithmetic about replicas is here.

Three rules (OSDI 1999, section 3). Two certificates share a correct replica; the correct replicas
alone make a certificate; any weak certificate holds a correct replica. Where faulty replicas only
crash, any replica that speaks is correct, and two certificates need to share just one.
"""

from __future__ import annotations

from dataclasses import dataclass

from vista import BadValueError


@dataclass(frozen=True)
class Quorums:
    """The quorums of a group of ``replicas``: 3f + 1, or 2f + 1 where they only crash or count.

    Numbers in between serve as steps on the way from one f to the next; they make the quorums
    larger, and tolerate no more. Raises `BadValueError` for fewer than 4, or than 3.

    With ``minbft`` every statement is counted by a device that does not lie (`usig`), so nobody
    says two things: certificates are majorities, and what takes one correct replica takes f + 1.

    >>> Quorums(4).certificate, Quorums(5).certificate, Quorums(3, crash_only=True).certificate
    (3, 4, 2)
    >>> Quorums(3, minbft=True).certificate, Quorums(3, minbft=True).weak
    (2, 2)
    """

    replicas: int
    crash_only: bool = False
    minbft: bool = False

    def __post_init__(self) -> None:
        if self.crash_only and self.replicas < 3:
            raise BadValueError(
                f"{self.replicas} replicas: agreement despite crashes takes 2f + 1, so 3 or more"
            )
        if self.minbft and self.replicas < 3:
            raise BadValueError(
                f"{self.replicas} replicas: agreement with trusted counters takes 2f + 1, so 3 or "
                f"more"
            )
        if not self._half and self.replicas < 4:
            raise BadValueError(
                f"{self.replicas} replicas: Byzantine agreement takes 3f + 1, so 4 or more"
            )

    @property
    def _half(self) -> bool:
        """Whether nobody can say two things, so that any two majorities are enough."""
        return self.crash_only or self.minbft

    @property
    def faults(self) -> int:
        """How many replicas may be faulty: f."""
        return (self.replicas - 1) // (2 if self._half else 3)

    @property
    def certificate(self) -> int:
        """Replicas whose word proves something to everybody: 2f + 1 of 3f + 1, or a majority."""
        liars = 0 if self._half else self.faults
        return (self.replicas + liars) // 2 + 1

    @property
    def prepares(self) -> int:
        """Prepares of backups that make a prepared certificate with the pre-prepare: 2f.

        None where no primary can propose two things.
        """
        return 0 if self._half else self.certificate - 1

    @property
    def weak(self) -> int:
        """Replicas among whom one is correct: f + 1, or one where they only crash."""
        return 1 if self.crash_only else self.faults + 1
