"""SolidState, replication that survives Byzantine faults: what this app can load, as data."""

CLASSES: dict[str, str] = {}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""
