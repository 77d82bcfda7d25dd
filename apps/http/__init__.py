"""The HTTP server as vista objects: what this app can load, as data."""

CLASSES: dict[str, str] = {}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""
