"""StarShip, the game, as vista objects: what this app can load and run, as data."""

CLASSES: dict[str, str] = {
    "Planet": "apps.starship.objects.things",
    "ShipNames": "apps.starship.objects.names",
    "Starbase": "apps.starship.objects.things",
    "Starship": "apps.starship.objects.things",
    "StarshipArchive": "apps.starship.objects.archive",
    "StarshipHTTPsetup": "apps.starship.web.setup",
    "StarshipJudge": "apps.starship.replicated.judge",
    "StarshipOwnSecondary": "apps.starship.objects.own",
    "StarshipPrimary": "apps.starship.objects.primary",
    "StarshipRecorder": "apps.starship.objects.recorder",
    "StarshipSavedState": "apps.starship.objects.archive",
    "StarshipSavedStep": "apps.starship.objects.archive",
    "StarshipSecondary": "apps.starship.objects.secondary",
    "StarshipServer": "apps.starship.replicated.server",
    "StarshipTerminal": "apps.starship.terminal.station",
    "StarshipTestHooks": "apps.starship.objects.hooks",
}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""

COMMANDS: dict[str, str] = {"starship": "apps.starship.terminal.command"}
"""Subcommand of ``vista`` to the module that runs it."""
