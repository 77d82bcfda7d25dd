"""Peering: links to other nodes, over which objects everywhere are reached."""
