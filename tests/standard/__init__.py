"""Tests of the classes of name space Standard."""
