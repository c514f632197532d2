"""Every message on the wire, one Struct each.

Times are integer Unix milliseconds; a field that may be missing has a default. Messages evolve by
optional fields: an older side ignores what it does not know, except in what people type (edits,
tokens, logins), where an unknown field is a typing error and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType, field

from forge_shared.names import NODE_ID_HELP, NODE_ID_PATTERN

EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01
MAX_SEQ: Final = 2**53 - 1
_END: Final = r"$(?!\n)"  # a bare $ lets a newline follow, in Python, though not in JSON Schema

_NODE_ID: Final = f"^{NODE_ID_PATTERN}{_END}"
BOOT_ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" + _END
_NAME: Final = r"^[^\x00-\x1f\x7f]+" + _END
_TAG: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,31}" + _END

_HASH: Final = r"^[0-9a-f]{64}" + _END

# What to tell people whose text does not match: a pattern is no advice.
PATTERN_HELP: Final[Mapping[str, str]] = {
    _NODE_ID: NODE_ID_HELP,
    BOOT_ID_PATTERN: "must be a UUID in lower case",
    _NAME: "a name is 1 to 64 characters without control characters",
    _TAG: "a tag begins with a letter or digit and goes on with letters, digits, '.', '_', ':' or "
    "'-', 32 characters at most",
}

NodeId = Annotated[str, Meta(pattern=_NODE_ID, description="Names one node, e.g. `nas-2`.")]
BootId = Annotated[
    str, Meta(pattern=BOOT_ID_PATTERN, description="A UUID made at each start of the agent.")
]
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ, description="Counts snapshots of one boot from 0.")]
UnixMs = Annotated[
    int,
    Meta(ge=EARLIEST_MS, le=LATEST_MS, description="Unix time in ms, from 2000 to 2100."),
]
Fact = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=_NAME)]
Tag = Annotated[str, Meta(pattern=_TAG, description=PATTERN_HELP[_TAG])]
Tags = Annotated[list[Tag], Meta(max_length=32)]
Secret = Annotated[str, Meta(min_length=1, max_length=512)]


class Role(StrEnum):
    """What a credential may do. A node speaks for itself alone, a submitter sees its own jobs and
    nothing else; an admin may do what people may."""

    NODE = "node"
    SUBMITTER = "submitter"
    VIEWER = "viewer"
    ADMIN = "admin"


class HumanRole(StrEnum):
    """The roles people and scripts sign in with."""

    SUBMITTER = "submitter"
    VIEWER = "viewer"
    ADMIN = "admin"


class Status(StrEnum):
    """How long a node has been silent, in three steps."""

    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


# --- from the agent ---------------------------------------------------------------------------


class Host(Struct, omit_defaults=True):
    """Slow-changing facts of a machine, sent at start and when they change."""

    hostname: Fact = ""
    os: Fact = ""  # for people: "Debian GNU/Linux 12 (bookworm)", "Windows 11"
    platform: Fact = ""  # for programs: linux, windows, darwin, freebsd
    kernel: Fact = ""
    arch: Fact = ""
    cpu_model: Fact = ""
    cpu_cores: Annotated[int, Meta(ge=0, le=65_536)] = 0  # logical cores
    mem_total_bytes: Annotated[int, Meta(ge=0, le=MAX_SEQ)] = 0
    boot_time: Annotated[int, Meta(ge=0, le=LATEST_MS)] = 0  # Unix ms; 0 where unknown
    agent_version: Fact = ""
    interval_s: Annotated[int, Meta(ge=0, le=86_400)] = 0  # the owner's own push interval, 0: none


class Snapshot(Struct, omit_defaults=True):
    """What a machine measured at one moment. Its identity is (node, boot_id, seq)."""

    seq: Seq
    boot_id: BootId
    ts: UnixMs
    values: Annotated[
        dict[str, int | float],
        Meta(description="`metric` or `metric/instance` to a finite number, 1,024 at most."),
    ]
    host: Host | None = None


# --- to the agent -----------------------------------------------------------------------------


class Rejection(Struct):
    """A line that was not stored, and why. Sending it again will not help."""

    line: Annotated[int, Meta(ge=1, description="Counts the lines of the body from 1.")]
    code: str
    detail: str


class IngestReply(Struct):
    """What became of a push. accepted + duplicates + rejected = the lines sent, all durable."""

    accepted: int
    duplicates: int
    rejected: list[Rejection]
    interval_s: Annotated[int, Meta(description="Push again after this many seconds.")]


# --- problems ---------------------------------------------------------------------------------


class FieldError(Struct):
    """One part of a request that was wrong."""

    field: str
    detail: str


class Problem(Struct, omit_defaults=True):
    """RFC 9457 problem details. ``code`` is stable; ``detail`` says what to do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] = []


# --- the fleet --------------------------------------------------------------------------------


class Point(Struct):
    """Values at one time."""

    ts: int
    values: dict[str, int | float]


class Node(Struct):
    """A machine, as the API lists it. ``clock_offset_ms``: collector's clock minus the node's,
    null unless it is large enough to be corrected. ``shares_token_of``: the node whose token
    several machines use, of which this is one; null: nobody else uses its token."""

    id: str
    name: str
    status: Status
    first_seen: int
    last_seen: int
    tags: list[str]
    ephemeral: bool
    host: Host
    clock_offset_ms: int | None
    latest: Point | None
    shares_token_of: str | None = None


class Fleet(Struct):
    nodes: list[Node]


class NodeSnapshot(Struct):
    """A node's most recent points, oldest first."""

    node_id: str
    points: list[Point]


Numbers = Annotated[
    list[int | float | None], Meta(description="One a `ts`; null where there was no sample.")
]


class HistorySeries(Struct):
    """One series of a node's history. Of a single snapshot all three are its value."""

    avg: Numbers
    min: Numbers
    max: Numbers


class History(Struct):
    """A node's history as columns, oldest first.

    ``step_ms`` 1: ``ts`` are the moments of single snapshots. Otherwise each is where a bucket of
    that length begins. ``raw_since``: from when on single snapshots are kept; before it buckets
    have ten minutes at least. ``series``: by key, those that have a sample.
    """

    node_id: str
    from_: int = field(name="from")
    to: int
    step_ms: int
    raw_since: int
    ts: list[int]
    series: dict[str, HistorySeries]


class NodeEdit(Struct, forbid_unknown_fields=True):
    """What people may change of a node; what is left out stays as it is."""

    name: Name | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    ephemeral: bool | UnsetType = UNSET


class CardFacts(Struct):
    """The part of a card that seldom changes. ``shares_token_of``: as a Node has it."""

    name: str
    os: str
    platform: str
    tags: list[str]
    ephemeral: bool
    cpu_cores: int
    mem_total_bytes: int
    agent_version: str
    first_seen: int
    clock_offset_ms: int | None
    shares_token_of: str | None = None


class Card(Struct, omit_defaults=True):
    """A node as the fleet page shows it.

    ``values``: cpu.pct, mem.pct, load.1m, uptime.s, disk.pct of the fullest file system, and
    net.rx/tx_bytes_per_s summed over interfaces, where the node has them; agent.spool_bytes while
    it is catching up.
    ``cpu``: the sparkline's points that the client does not have yet, oldest first.
    ``jobs``: how many it works on. ``facts``: there when the client does not have them yet.
    """

    id: str
    status: Status
    last_seen: int
    values: dict[str, int | float]
    cpu: list[int | float] = []
    jobs: int = 0
    facts: CardFacts | None = None


class FleetFrame(Struct):
    """One event of the fleet stream. ``full``: forget what you had. ``now``: collector's clock.
    ``gone``: forget these first; one that is among ``nodes`` too was added anew since."""

    full: bool
    now: int
    nodes: list[Card]
    gone: list[str]


# --- access -----------------------------------------------------------------------------------


class MintToken(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Either ``node_id``, or ``role`` and ``name``."""

    node_id: NodeId | None = None
    role: HumanRole | None = None
    name: Name | None = None


class MintedToken(Struct):
    """A new token. This is the only time its text is shown."""

    id: str
    role: Role
    node_id: str | None
    token: str


class Token(Struct):
    """A token as it is listed: without its secret, which is not kept."""

    id: str
    role: Role
    node_id: str | None
    name: str | None
    created_at: int


class Tokens(Struct):
    tokens: list[Token]


class Login(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Either a one-time ``code`` from a login link, or a ``secret``: the admin secret or a
    submitter's, viewer's or admin's token."""

    code: Secret | None = None
    secret: Secret | None = None


class LoginLinkRequest(Struct, forbid_unknown_fields=True):
    role: HumanRole = HumanRole.ADMIN


class LoginLink(Struct):
    """A link that signs one browser in, once, before ``expires_at``."""

    code: str
    url: str
    role: HumanRole
    expires_at: int


class Session(Struct):
    """A signed-in browser."""

    id: str
    role: HumanRole
    created_at: int
    expires_at: int
    current: bool


class Sessions(Struct):
    sessions: list[Session]


# --- joining ----------------------------------------------------------------------------------


class InviteRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How many machines may join with the invite, for how long, and as which node if that is
    settled: an id that exists may then be taken up again."""

    uses: Annotated[int, Meta(ge=1, le=10_000)] = 1
    expires_in_s: Annotated[int, Meta(ge=60, le=30 * 24 * 3600)] = 3600
    node_id: NodeId | None = None


class InviteStatus(StrEnum):
    """Whether machines can join with an invite, and why not."""

    OPEN = "open"
    USED_UP = "used_up"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Invite(Struct):
    """An invite as it is listed: without its code, which is not kept. ``joined``: the ids of the
    machines that joined with it, the newest 50, newest first."""

    id: str
    status: InviteStatus
    uses: int
    used: int
    node_id: str | None
    created_at: int
    expires_at: int
    joined: list[str] = []


class Invites(Struct):
    invites: list[Invite]


class MintedInvite(Struct):
    """A new invite. This is the only time its join string is shown. ``ca_fingerprint``: SHA-256 of
    the authority's certificate, hex; null where agents check with the system's store, or not."""

    invite: Invite
    join_string: str
    url: str
    ca_fingerprint: str | None


class JoinRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A machine's claim. It made its token itself: here are the token's id and the BLAKE2b hash
    of its secret. The same claim again has the same answer. ``hostname``: what the node's id is
    made from unless ``node_id`` says it."""

    code: Secret
    token_id: Annotated[str, Meta(pattern=BOOT_ID_PATTERN, description="A UUID.")]
    secret_hash: Annotated[str, Meta(pattern=_HASH, description="32 bytes, hex.")]
    hostname: Fact = ""
    node_id: NodeId | None = None


class Joined(Struct):
    """The id that the machine has in the fleet from now on."""

    node_id: str


# --- releases ---------------------------------------------------------------------------------


class ReleaseFile(Struct):
    """One file of a release. ``platform``: such as ``linux-x86_64``; ``kind``: ``folder`` is what
    gets installed, an archive; ``file`` is the program as a single file."""

    name: str
    platform: str
    kind: str
    size: int
    sha256: str


class Release(Struct):
    """What a release holds. Agents trust it by its signature alone."""

    version: str
    created_at: int
    files: list[ReleaseFile]


# --- the collector itself ---------------------------------------------------------------------


class Whoami(Struct):
    """Who the caller is, and what the page needs to know about the collector."""

    role: Role
    node_id: str | None
    local_node_id: str | None
    version: str


class Health(Struct):
    status: str
