"""How a game is run on several servers: cores without socket or clock."""
