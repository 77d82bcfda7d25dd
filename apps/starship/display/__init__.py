"""What a screen shows, as plain dictionaries: pure, and the same for browser and terminal."""
