"""Tests of replicated objects."""
