"""The class of ``first.rc``."""

import vista


class First(vista.Object):
    """Says that it was created, so that a benchmark can take the time."""

    def create(self) -> None:
        """Print one line."""
        print("created", flush=True)
