"""The terminal client: the game on 80 x 24 characters, over the HTTP interface of any server."""
