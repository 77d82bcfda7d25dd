"""How values and messages become bytes and back: cores without socket, clock or thread."""
