"""StarShip, the game, as vista objects: what this app can load, as data."""

CLASSES: dict[str, str] = {
    "Planet": "apps.starship.objects.things",
    "Starbase": "apps.starship.objects.things",
    "Starship": "apps.starship.objects.things",
    "StarshipPrimary": "apps.starship.objects.primary",
    "StarshipSecondary": "apps.starship.objects.secondary",
}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""
