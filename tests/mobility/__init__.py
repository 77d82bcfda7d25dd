"""Tests of objects and code that travel."""
