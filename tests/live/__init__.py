"""Tests with real processes, terminals and sockets, every wait bounded."""
