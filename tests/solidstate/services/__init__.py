"""Tests of the services on replicated objects."""
