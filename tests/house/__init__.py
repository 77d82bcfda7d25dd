"""Tests of the house style: what `docs/contributing.rst` says, read from the source."""
