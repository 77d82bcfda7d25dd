"""The game on the runtime."""
