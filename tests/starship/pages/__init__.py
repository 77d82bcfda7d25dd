"""Tests of the pages: bridge, scan and first page, as texts and in a browser."""
