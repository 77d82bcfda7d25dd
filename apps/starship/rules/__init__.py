"""The rules of StarShip: integers only, pure, the same bytes on every machine."""
