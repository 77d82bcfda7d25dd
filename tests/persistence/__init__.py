"""Tests of stores and of objects that outlive their process."""
