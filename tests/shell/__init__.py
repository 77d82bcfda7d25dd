"""Tests of the command, the prompt and how objects are shown."""
