"""Links to other nodes: addresses, keys, sessions, routing."""
