"""Machines that have keys and do not keep to the rules, and what becomes of it."""
