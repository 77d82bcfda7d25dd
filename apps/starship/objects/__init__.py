"""The objects of the game on the runtime."""
