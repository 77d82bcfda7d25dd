"""Tests of what spectators see: map, leaderboard, replay, servers."""
