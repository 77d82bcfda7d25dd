"""Simulations: scenarios in deterministic worlds, over many seeds."""
