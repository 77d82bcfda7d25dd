"""Running a game on several servers."""
