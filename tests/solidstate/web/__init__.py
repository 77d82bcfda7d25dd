"""Tests of state variables as web applications."""
