"""Every bound of a node, with its unit and its reason.

``Limits()`` holds the values that suit most nodes; ``Limits(mailbox_messages_max=100)`` changes
one; `Limits.validate` checks how they relate and is called by the node that gets them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from vista.errors import BadValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one node. Every field is positive; units stand at the end of the names."""

    call_seconds: float = 60.0
    """How long a call may take when nothing else is said: long enough for a person's patience,
    short enough that a lost answer is noticed. ``vista.timeout`` changes it for a block."""

    mailbox_messages_max: int = 100_000
    """Messages that may wait for one object; the next one raises `Overloaded`. 100,000 small
    messages hold about 30 MB, so one runaway sender cannot take the machine's memory."""

    nested_calls_max: int = 64
    """Local calls nested in one greenlet before the next one gets a greenlet of its own. Each
    takes 3 to 4 Python frames of the interpreter's 1,000."""

    chain_calls_max: int = 2_000
    """Calls that may wait for one another in one chain; the next one raises `Overloaded`. Each
    holds at least a Python frame, so endless recursion by messages must end by a bound."""

    turn_seconds: float = 0.005
    """How long threads run before timers and I/O get the loop again."""

    sends_between_checks: int = 128
    """Nested sends between two looks at the clock. At 0.3 us a send, a check each 40 us."""

    slow_method_seconds: float = 0.1
    """A method that holds the loop longer is logged with its stack."""

    pooled_workers_max: int = 256
    """Idle greenlets kept for the next invocation; those beyond end a little later. One costs 6 KB;
    a new one takes 7 us."""

    native_threads_max: int = 32
    """Kernel threads that run ``@native`` methods at the same time."""

    value_depth_max: int = 100
    """Containers nested in a value. Deeper ones exhaust the stack of whoever decodes them."""

    value_bytes_max: int = 64 * 1024 * 1024
    """Bytes one encoded value may take."""

    value_items_max: int = 16 * 1024 * 1024
    """Items a value may have in all its containers together, each container counted as four more.
    Every place in a value is copied by itself, so a few nested lists can stand for more items than
    any memory holds."""

    frame_bytes_max: int = 64 * 1024 * 1024
    """Bytes one wire frame may take; a frame that claims more is refused before it is read."""

    large_buffer_bytes: int = 64 * 1024
    """Buffers of this size and more travel as frames of their own, without a copy."""

    name_characters_max: int = 255
    """Characters in a service, class, method or user name."""

    link_messages_max: int = 100_000
    """Messages that may wait to leave over one link; the next one raises `Overloaded`. Calls wait
    before they are sent when a quarter of that does."""

    link_bytes_max: int = 128 * 1024 * 1024
    """Bytes that may wait to leave over one link: two of the largest frames."""

    link_window_bytes: int = 8 * 1024 * 1024
    """Bytes of batches a peer may have sent that are not worked off here: the most memory one peer
    can take, and 8 ms of a link of 1 GB/s."""

    batch_bytes_max: int = 65 * 1024 * 1024
    """Bytes of credit one batch may take: a frame of frame_bytes_max and 16,000 parts."""

    ping_seconds: float = 2.0
    """How long a link sends nothing before it pings: each peer hears something that often."""

    loss_seconds: float = 8.0
    """How long nothing is heard before a peer counts as lost; at least three ping_seconds, since a
    pause of this process of less than two goes unnoticed and the peer may be silent for one."""

    hello_seconds: float = 10.0
    """How long a handshake may take, the decisions of both owners included."""

    ack_seconds: float = 0.02
    """How long consumed bytes wait for a batch that takes the word of them along."""

    pong_seconds: float = 0.1
    """Pings that come sooner after the last one answered get no answer, so that a peer which sends
    pings and reads nothing does not fill this side's queue."""

    route_hops_max: int = 16
    """Links on the way to a node; a farther one is not reached. A message may cross as many, so one
    that runs in a circle while the routes change comes to an end."""

    nodes_max: int = 4_096
    """Nodes that are reached, and nodes one link may tell of."""

    ring_seconds: float = 0.5
    """Age at which a call to another node is first followed, to see whether it waits for itself, or
    was lost. Nearly all have ended by then; the deadlock is found soon after."""

    ring_probes_max: int = 4_096
    """Calls that are followed at a time, and remembered so that none is followed twice: 1 MB."""

    ring_hops_max: int = 64
    """Calls between nodes in a ring of waits that is found."""

    met_nodes_max: int = 16_384
    """Nodes that are remembered when they are lost: about 3 MB. A message for an object of one that
    is forgotten fails with `NoSuchObject` instead of `PeerLost`."""

    told_nodes_max: int = 256
    """Nodes in one message about routes or services: at most 50 KiB with paths of 16 hops."""

    route_speak_seconds: float = 1.0
    """How long a node that was reached over others may be silent on a link of its own before it is
    withdrawn: many times what its first word takes over the longest link."""

    route_settle_seconds: float = 0.05
    """How long a worse path stands before it is told. In a torus of 36 nodes the end of a node
    costs a link 19 messages with it and 66 without."""

    identity_conflict_seconds: float = 30.0
    """How long two runs of one node are seen before they are called a conflict: longer than it
    takes to find the links of the earlier run dead."""

    announced_names_max: int = 16_384
    """Service names one node may announce; more than that serve on their own node alone."""

    announced_names_all_max: int = 262_144
    """Service names of all nodes together: about 80 MB."""

    announced_part_names_max: int = 256
    """Names in one message: 10 KiB with names of 20 characters, 260 KiB at most."""

    announced_pull_seconds: float = 10.0
    """How long the next part of a wanted list is awaited before another neighbour is asked."""

    channel_messages_max: int = 256
    """Messages ZeroMQ keeps for one peer in each direction: batches, so four turns of the loop."""

    channel_bytes_max: int = 64 * 1024 * 1024
    """Bytes of large messages that wait to leave on a channel; one message more may begin."""

    connections_max: int = 10_000
    """Connections a listener holds, those that have said nothing among them; and never more than
    half of the descriptors the process may open."""

    handshake_seconds: float = 10.0
    """How long a connection may take to prove its key."""

    linger_seconds: float = 1.0
    """How long what was sent before a channel's end may take to leave."""

    retry_seconds_min: float = 0.05
    """The pause before a peer that is not there is tried again; each next one is twice as long."""

    retry_seconds_max: float = 5.0
    """The longest such pause: a peer that comes back is met after this time at the latest."""

    key_file_bytes_max: int = 4096
    """Bytes of ``secret_key``, which has about 300: another file in its place is not read in."""

    authorized_peers_bytes_max: int = 1024 * 1024
    """Bytes of ``authorized_peers``: about 10,000 peers, read at once when the file changed."""

    authorize_seconds: float = 5.0
    """How long ``vista authorize`` waits for another one that changes the same file."""

    remote_calls_max: int = 200
    """Calls between nodes that may wait for one another in one chain; the next one raises
    `Overloaded`. The names of all of them travel with each call, 18 bytes for each."""

    reconnect_seconds_min: float = 0.1
    """The pause before a lost link is opened again; it doubles each time that fails."""

    reconnect_seconds_max: float = 15.0
    """The longest pause between two attempts to open a lost link."""

    mesh_interval_seconds: float = 5.0
    """How often a node of a mesh announces itself. Newcomers announce themselves at once and are
    answered, so this is only how late a node is found whose datagrams were lost; 256 nodes send 51
    datagrams of 100 bytes a second."""

    mesh_interval_seconds_min: float = 0.1
    """The shortest such interval that may be asked for."""

    mesh_interval_seconds_max: float = 300.0
    """The longest one, and the longest that an announcement may claim: nodes that ended are kept
    in mind for mesh_silent_intervals_max of it."""

    mesh_silent_intervals_max: int = 4
    """Intervals of its own in which nothing is heard of a node before it is forgotten, unless it is
    linked: at a loss of one datagram in ten, one silence in 10,000 is an accident."""

    mesh_answer_seconds: float = 1.0
    """The least time between two announcements of one node, however many newcomers it hears, and
    between two attempts at a node whose announcements change."""

    mesh_contacts_max: int = 256
    """Nodes heard in a mesh: each has links to all others, 32,640 together."""

    mesh_datagram_bytes_max: int = 1_200
    """Bytes of an announcement, which has 460 at most: no path cuts so few in pieces."""

    mesh_datagrams_max: int = 1_000
    """Announcements looked at in a second, the rest is dropped unread: 20 times what the largest
    mesh sends, and 4 % of a core."""

    mesh_strangers_max: int = 256
    """Unknown keys that are kept in mind, so that each is logged once; past it none is logged."""

    code_bytes_max: int = 4 * 1024 * 1024
    """Bytes of the code of one class with what it imports, sent or taken: 100,000 lines."""

    code_modules_max: int = 256
    """Modules that go along with one class."""

    code_peers_asked_max: int = 32
    """Peers that an AutomaticClassLoader asks for one class, one after the other."""

    code_modules_kept_max: int = 4_096
    """Modules of peers' code that a process keeps; each stays to its end."""

    moves_remembered_max: int = 10_000
    """Objects that moved to a node and whose old homes have not said that they know it. A home that
    is parted from the node in the midst of a move asks for the outcome when it is back. As many
    that it was told are not there, that were created with a token, that nobody had when they were
    looked for, that came as copies while a store was closed, and to which messages were given up on
    their way, are remembered, and twice as many to which posts left; of more of these last two the
    nodes to which they went, as many at most."""

    moved_objects_max: int = 262_144
    """Objects of which a node remembers to which other one they went: about 50 MB. A message for
    one that is forgotten goes to the node that made it, which asks its peers if it has forgotten it
    as well."""

    jobs_queued_max: int = 100_000
    """Jobs that wait in one JobController; the next one raises `Overloaded`."""

    job_attempts_max: int = 3
    """How often a job is begun that is lost with its server each time. A link may break while a
    server does well; but a job that ends its process must not end all of them, one by one."""

    job_seconds: float = 3600.0
    """How long a server may take for one job: hours are for programs that keep what they have."""

    store_delay_seconds: float = 0.5
    """How long changes of persistent objects wait for others before they are written together. It
    is what a fall of the process may lose of objects that are not durable."""

    store_batch_objects_max: int = 1_000
    """Objects one commit of a store takes; more follow in the next one. A thousand small ones take
    SQLite 10 ms, and so long at most does the next durable reply wait behind them."""

    store_batch_bytes_max: int = 64 * 1024 * 1024
    """Bytes of encoded objects one commit takes, one of ``value_bytes_max`` in any case."""

    store_retry_seconds: float = 30.0
    """The longest pause before a store that failed is tried again without anybody waiting for it;
    the first takes ``store_delay_seconds`` and each next one twice as long."""

    store_bytes_max: int = 64 * 1024 * 1024 * 1024
    """Bytes a store in a file may grow to; what needs more fails as on a full disk."""

    processes_max: int = 64
    """Processes of ``vista --processes``. Each has a link to every other, 2,016 together."""

    process_link_seconds: float = 30.0
    """How long the first process waits for the links with the others before it runs the file. On a
    machine with nothing else to do it takes one second."""

    process_restart_seconds_min: float = 0.5
    """The pause before a process that ended is started again; each next one in a row is twice as
    long."""

    process_restart_seconds_max: float = 30.0
    """The longest such pause."""

    process_restarts_max: int = 5
    """Ends in a row after which a process is not started again, and all stop: 7.5 s of pauses."""

    process_steady_seconds: float = 10.0
    """How long a process runs before its next end counts as the first one in a row."""

    process_stop_seconds: float = 15.0
    """How long a process that is told to end may take before it is killed: more than twice
    drain_seconds and farewell_seconds, which is what an orderly end takes at most."""

    process_line_bytes_max: int = 256 * 1024
    """Bytes of a line that a process prints; a longer one is broken there."""

    drain_seconds: float = 5.0
    """How long a stopping node waits for its threads to finish before it kills them."""

    farewell_seconds: float = 1.0
    """How long a stopping node waits until its peers have heard that its services are gone: some
    round trips over any link that works, and little beside drain_seconds."""

    def validate(self) -> None:
        """Check each bound and how they relate. Raises `BadValueError` naming the first mistake."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) not in (int, float) or not 0 < value < math.inf:
                raise BadValueError(f"limit {field.name} must be a positive number, not {value!r}")
            if type(value) is float and "_seconds" not in field.name:
                raise BadValueError(f"limit {field.name} must be a whole number, not {value!r}")
        if self.chain_calls_max < self.nested_calls_max:
            raise BadValueError("limit chain_calls_max must be at least nested_calls_max")
        if self.nested_calls_max + self.sends_between_checks > 200:
            raise BadValueError(
                "limits nested_calls_max + sends_between_checks must not pass 200: the nested "
                "calls of a greenlet share the interpreter's 1,000 frames"
            )
        if self.retry_seconds_max < self.retry_seconds_min:
            raise BadValueError("limit retry_seconds_max must be at least the one of min")
        if self.reconnect_seconds_max < self.reconnect_seconds_min:
            raise BadValueError("limit reconnect_seconds_max must be at least the one of min")
        if self.process_restart_seconds_max < self.process_restart_seconds_min:
            raise BadValueError("limit process_restart_seconds_max must be at least the one of min")
        if self.mesh_interval_seconds_max < self.mesh_interval_seconds_min:
            raise BadValueError("limit mesh_interval_seconds_max must be at least the one of min")
        if self.loss_seconds < 3 * self.ping_seconds:
            raise BadValueError("limit loss_seconds must be at least three times ping_seconds")
        if self.identity_conflict_seconds <= self.loss_seconds:
            raise BadValueError("limit identity_conflict_seconds must pass loss_seconds")
        if self.met_nodes_max < self.nodes_max:
            raise BadValueError("limit met_nodes_max must be at least nodes_max")
        if self.batch_bytes_max < self.frame_bytes_max:
            raise BadValueError("limit batch_bytes_max must be at least frame_bytes_max")
        if self.channel_bytes_max < self.large_buffer_bytes:
            raise BadValueError("limit channel_bytes_max must be at least large_buffer_bytes")
        if self.link_bytes_max < 2 * self.frame_bytes_max:
            raise BadValueError("limit link_bytes_max must be at least twice frame_bytes_max")
        if self.frame_bytes_max < self.large_buffer_bytes:
            raise BadValueError("limit frame_bytes_max must be at least large_buffer_bytes")
        if self.slow_method_seconds < self.turn_seconds:
            raise BadValueError("limit slow_method_seconds must be at least turn_seconds")
