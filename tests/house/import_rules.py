"""Rules about imports: which way they look, where a wrapped library lives, what a core may see.

Each rule takes sources and returns the violations as text; no violation is an empty list.
"""

from __future__ import annotations

import ast
import sys

from tests.house.source import Source, imported_module, within

# Lowest first. A module may import its own layer and those below.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("vista.errors", "vista.ids", "vista.limits", "vista.counted", "vista.parsing"),
    ("vista.values", "vista.records", "vista.hints"),
    ("vista.wire",),
    ("vista.kernel",),
    ("vista.api", "vista.aio"),
    ("vista.mobility",),
    ("vista.persistence",),
    ("vista.peering",),
    ("vista.standard",),
    ("vista.testing",),
    # The command and the prompt use the public names; that nothing goes round is checked apart.
    ("vista.shell", "vista", "vista.booting", "vista.__main__"),
)

# What an app may see of vista, and which app may see which other.
PUBLIC_MODULES = ("vista", "vista.aio", "vista.parsing", "vista.testing")
APPS_SEEN = {
    "http": ("apps.http",),
    "starship": ("apps.starship", "apps.http", "apps.solidstate"),
    "solidstate": ("apps.solidstate", "apps.http"),
}

# Inside of the HTTP server, lowest first. Its top module lists class names and imports nothing.
HTTP_LAYERS: tuple[tuple[str, ...], ...] = (
    ("apps.http.errors",),
    ("apps.http.syntax",),
    ("apps.http.content",),
    ("apps.http.objects", "apps.http.passwords"),
    ("apps.http.browser",),
)

# Inside of the game, lowest first: what captains see is worked out from the rules alone, and drawn
# without knowing them; servers and site stand on all of that.
STARSHIP_LAYERS: tuple[tuple[str, ...], ...] = (
    ("apps.starship.errors",),
    ("apps.starship.rules",),
    ("apps.starship.themes",),
    ("apps.starship.game",),
    ("apps.starship.display",),
    ("apps.starship.pages",),
    ("apps.starship.terminal",),
    ("apps.starship.objects",),
    ("apps.starship.replicated",),
    ("apps.starship.web",),
)

# Every library from outside has one home that wraps it.
HOMES: dict[str, tuple[str, ...]] = {
    "IPython": ("vista.shell.repl",),
    "brotli": ("apps.http.content.compressing",),
    "cloudpickle": ("vista.mobility.interactive",),
    "cryptography": ("apps.http.objects.certificates",),
    "greenlet": ("vista.kernel.threads",),
    "h2": ("apps.http.syntax.http2",),
    "httptools": ("apps.http.syntax.heads",),
    "hyperframe": ("apps.http.syntax.http2",),
    "msgpack": ("vista.wire.codec", "apps.solidstate.pbft.canonical"),
    "msgspec": ("apps.starship.game.rows",),
    "nacl": ("apps.solidstate.pbft.ed25519",),
    "prometheus_client": ("apps.http.objects.metrics",),
    "psycopg": ("vista.persistence.postgres",),
    "python_multipart": ("apps.http.syntax.forms",),
    "re2": ("apps.http.content.ssi.patterns",),
    "rich": ("vista.shell.show",),
    "sqlite3": ("vista.persistence.sqlite",),
    "traitlets": ("vista.shell.repl",),  # how IPython is configured
    "uvloop": ("vista.kernel.hub",),
    "zstandard": ("apps.http.content.compressing",),
    "wsproto": ("apps.http.syntax.websocket",),
    "zmq": ("vista.peering.sockets", "vista.peering.curve"),
}

CORES = (
    "vista.wire",
    "vista.values",
    "vista.records",
    "vista.peering.announcements",
    "vista.peering.mesh",
    "vista.peering.beacons",
    "vista.peering.paths",
    "vista.peering.routing",
    "vista.peering.words",
    "vista.persistence.store",
    "vista.persistence.writing",
    "vista.standard.job_pool",
    "apps.http.content.ssi",
    "apps.http.syntax",
    "apps.solidstate.pbft",
    "apps.starship.rules",
    "apps.starship.display",
    "apps.starship.replicated.judge",
    "apps.starship.replicated.realm",
    "apps.starship.replicated.requests",
    "apps.starship.terminal.drawing",
    "apps.starship.terminal.editor",
    "apps.starship.terminal.lines",
    "apps.starship.terminal.plot",
    "apps.starship.terminal.session",
    "apps.starship.terminal.views",
    "apps.starship.terminal.words",
)
WORLD = frozenset(
    "time datetime os socket select threading asyncio subprocess uuid secrets logging".split()
)
# datetime and uuid hold value types that travel in messages: these modules name the types to copy
# and encode them. They still may not ask what time it is or draw an identity.
VALUE_TYPE_HOMES = (
    "vista.values",
    "vista.hints",
    "vista.records",
    "vista.wire.codec",
    "vista.wire.leaves",
    "apps.http.content.ssi.formats",  # a time zone is a datetime.tzinfo
)
VALUE_TYPE_MODULES = frozenset({"datetime", "uuid"})
CLOCKS_AND_DICE = frozenset({"now", "today", "utcnow", "uuid1", "uuid4", "getnode"})


def _layer(module: str, layers: tuple[tuple[str, ...], ...] = LAYERS) -> int | None:
    best: tuple[int, int] | None = None
    for height, prefixes in enumerate(layers):
        for prefix in prefixes:
            fits = module == prefix or (prefix != "vista" and module.startswith(prefix + "."))
            if fits and (best is None or len(prefix) > best[0]):
                best = (len(prefix), height)
    return None if best is None else best[1]


def _known(sources: list[Source]) -> frozenset[str]:
    return frozenset(source.module for source in sources)


def relative_imports(source: Source) -> list[str]:
    """Imports are absolute."""
    return [source.at(item.line, "relative import") for item in source.imports if item.relative]


def upward_imports(sources: list[Source]) -> list[str]:
    """Imports look down: also those for type checking only, and those inside functions."""
    known = _known(sources)
    found = []
    for source in sources:
        if not within(source.module, ("vista",)):
            continue
        own = _layer(source.module)
        if own is None:
            found.append(source.at(1, f"{source.module} has no layer in LAYERS"))
            continue
        for item in source.imports:
            target = imported_module(item, known)
            if within(target, ("apps",)):
                found.append(source.at(item.line, f"vista imports an app: {target}"))
            elif within(target, ("vista",)) and (height := _layer(target)) is not None:
                if height > own:
                    found.append(source.at(item.line, f"{source.module} looks up to {target}"))
    return found


def app_imports(sources: list[Source]) -> list[str]:
    """An app sees vista's public modules, itself, and the apps that APPS_SEEN allows it."""
    known = _known(sources)
    found = []
    for source in sources:
        if not within(source.module, ("apps",)):
            continue
        seen = APPS_SEEN[source.module.split(".")[1]]
        for item in source.imports:
            target = imported_module(item, known)
            if within(target, ("vista",)) and target not in PUBLIC_MODULES:
                found.append(source.at(item.line, f"{target} is not public"))
            elif within(target, ("apps",)) and not within(target, seen):
                found.append(source.at(item.line, f"{source.module} may not see {target}"))
    return found


def http_upward_imports(sources: list[Source]) -> list[str]:
    """Imports look down inside of the HTTP server as well."""
    return _upward_inside(sources, "apps.http", HTTP_LAYERS, "HTTP_LAYERS")


def starship_upward_imports(sources: list[Source]) -> list[str]:
    """Imports look down inside of the game as well."""
    return _upward_inside(sources, "apps.starship", STARSHIP_LAYERS, "STARSHIP_LAYERS")


def _upward_inside(
    sources: list[Source], package: str, layers: tuple[tuple[str, ...], ...], table: str
) -> list[str]:
    known = _known(sources)
    found = []
    for source in sources:
        own = _layer(source.module, layers)
        if own is None:
            if within(source.module, (package,)) and source.module != package:
                found.append(source.at(1, f"{source.module} has no layer in {table}"))
            continue
        for item in source.imports:
            target = imported_module(item, known)
            if (height := _layer(target, layers)) is not None and height > own:
                found.append(source.at(item.line, f"{source.module} looks up to {target}"))
    return found


def import_cycles(sources: list[Source]) -> list[str]:
    """No module reaches itself through imports; those for type checking only do not count."""
    known = _known(sources)
    edges = {
        source.module: {
            imported_module(item, known) for item in source.imports if not item.only_typing
        }
        & known - {source.module}
        for source in sources
    }
    found = set()
    for start in edges:
        cycle = _path_back(start, edges)
        if cycle:
            least = cycle.index(min(cycle))
            found.add(" -> ".join([*cycle[least:], *cycle[:least], cycle[least]]))
    return sorted(found)


def _path_back(start: str, edges: dict[str, set[str]]) -> list[str]:
    """A shortest way from start to itself, without the end; empty when there is none."""
    paths = [[start]]
    reached = set()
    for path in paths:
        for target in sorted(edges[path[-1]]):
            if target == start:
                return path
            if target not in reached:
                reached.add(target)
                paths.append([*path, target])
    return []


def foreign_imports(source: Source) -> list[str]:
    """A library from outside appears in the module or package that wraps it and nowhere else."""
    found = []
    for item in source.imports:
        top = item.origin.split(".")[0]
        if top in HOMES:
            if not within(source.module, HOMES[top]):
                found.append(source.at(item.line, f"{top} belongs in {' or '.join(HOMES[top])}"))
        elif top not in sys.stdlib_module_names | {"vista", "apps", "__future__", ""}:
            found.append(source.at(item.line, f"{top} has no home in HOMES"))
    return found


def worldly_cores(source: Source) -> list[str]:
    """A core is told what happened and when: it has no clock, dice, socket, disk or thread."""
    if not within(source.module, CORES):
        return []
    found = []
    for item in source.imports:
        top = item.origin.split(".")[0]
        value_type = top in VALUE_TYPE_MODULES and within(source.module, VALUE_TYPE_HOMES)
        if top in WORLD and not value_type:
            found.append(source.at(item.line, f"a core imports {top}"))
        if top == "random" and item.target != "random.Random":
            found.append(source.at(item.line, "a core imports more of random than the type"))
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).split(".")[-1]
            if name in CLOCKS_AND_DICE:
                found.append(source.at(node.lineno, f"a core calls {name}()"))
    return found
