"""The object whose histories are checked, in the simulated world and at real machines."""

from __future__ import annotations

from apps.solidstate.objects.replicated import ReplicatedObject, read_only


class CheckedRegister(ReplicatedObject):
    """What the checker of histories knows: values under keys."""

    def create(self) -> None:
        self.content: dict[str, str] = {}

    def put(self, key: str, value: str) -> str | None:
        old = self.content.get(key)
        self.content[key] = value
        return old

    def remove(self, key: str) -> str | None:
        return self.content.pop(key, None)

    @read_only
    def get(self, key: str) -> str | None:
        return self.content.get(key)

    def forget(self) -> None:
        self.content = {}
