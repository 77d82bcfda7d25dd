"""SolidState, replication that survives Byzantine faults: what this app can load, as data."""

CLASSES: dict[str, str] = {
    "CoordinationSession": "apps.solidstate.services.coordination",
    "CreateReplicaHTTPsession": "apps.solidstate.web.creating",
    "CreateReplicasOnServers": "apps.solidstate.objects.creating",
    "ForwardToPool": "apps.solidstate.shop.front",
    "GroupAdministrator": "apps.solidstate.objects.administrator",
    "HTTPreplacedText": "apps.solidstate.web.replaced",
    "HTTPreplicaClientProxy": "apps.solidstate.web.session",
    "OrderBook": "apps.solidstate.shop.book",
    "RecoverReplicas": "apps.solidstate.objects.recovery",
    "RegisterReplicaHTTPclass": "apps.solidstate.web.classes",
    "ReplicaClientProxy": "apps.solidstate.objects.proxy",
    "ReplicaHTTPsession": "apps.solidstate.web.session",
    "ReplicaPoolMember": "apps.solidstate.objects.member",
    "ReplicaServer": "apps.solidstate.objects.server",
    "ReplicatedFiles": "apps.solidstate.files.tree",
    "ReplicatedStore": "apps.solidstate.services.store",
    "ReplicatedVariable": "apps.solidstate.objects.standing",
    "ShopCart": "apps.solidstate.shop.cart",
    "ShopMachines": "apps.solidstate.shop.machines",
    "ShopServer": "apps.solidstate.shop.server",
    "RestoreReplicas": "apps.solidstate.objects.restoring",
    "TransactionalStore": "apps.solidstate.services.transactions",
    "TupleSpace": "apps.solidstate.services.tuple_space",
}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""

COMMANDS: dict[str, str] = {"solidstate": "apps.solidstate.status"}
"""Subcommand of ``vista`` to the module whose ``main`` runs it."""
