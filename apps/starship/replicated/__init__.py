"""A game without a primary: four servers that agree on what was ordered and compute all of it."""
