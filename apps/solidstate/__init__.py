"""SolidState, replication that survives Byzantine faults: what this app can load, as data."""

CLASSES: dict[str, str] = {
    "CoordinationSession": "apps.solidstate.services.coordination",
    "CreateReplicasOnServers": "apps.solidstate.objects.creating",
    "ReplicaClientProxy": "apps.solidstate.objects.proxy",
    "ReplicaPoolMember": "apps.solidstate.objects.member",
    "ReplicaServer": "apps.solidstate.objects.server",
    "ReplicatedStore": "apps.solidstate.services.store",
    "ReplicatedVariable": "apps.solidstate.objects.proxy",
    "TransactionalStore": "apps.solidstate.services.transactions",
    "TupleSpace": "apps.solidstate.services.tuple_space",
}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""

COMMANDS: dict[str, str] = {"solidstate": "apps.solidstate.status"}
"""Subcommand of ``vista`` to the module whose ``main`` runs it."""
