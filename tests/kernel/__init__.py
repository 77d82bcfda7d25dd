"""Tests of the local runtime: objects, threads, exclusion, classes, services and access."""
