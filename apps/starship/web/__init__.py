"""The web site of the game, on the HTTP server: login, bridges, live updates, spectators' pages."""
