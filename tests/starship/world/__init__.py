"""Whole games in the simulated world: joins, losses, slow links, crashes at any point of a step."""
