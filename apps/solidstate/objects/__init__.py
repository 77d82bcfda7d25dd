"""Replicated objects: groups of servers as vista objects, and the objects they execute."""
