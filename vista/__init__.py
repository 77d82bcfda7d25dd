from vista.errors import *
from vista.api import *
from vista.kernel.node import Node
from vista.kernel.objects import Object
from vista.kernel.futures import Future, gather
from vista.records import record
from vista.kernel.methods import exclusive, preemptable, native
from vista.kernel.access import AccessControlList
from vista.ids import Id
from vista.kernel.refs import Ref
from vista import aio

__version__ = "0.1.0"
__all__ = [
    n for n in dict(globals()) if not n.startswith("_") and n not in ("annotations", "vista")
]
