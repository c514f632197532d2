"""Machines that share a token, as machines do whose disks were cloned: each becomes a node.

The first keeps the node of the token, the *origin*; the others become siblings of it, with nodes of
their own. A boot belongs to one of them; which one a new boot belongs to is a guess
(``rules.continued``), and two boots of one node that both go on pushing prove it wrong
(``rules.rivalry``): the later one then leaves.
"""

from __future__ import annotations

from typing import NamedTuple

from forge_collector.access import store as access
from forge_collector.db import Tx
from forge_collector.fleet import rules
from forge_collector.fleet.rules import Rivalry
from forge_collector.fleet.store import nodes
from forge_collector.fleet.store.nodes import NodeRow
from forge_collector.history import store as history
from forge_collector.history.store import Standing
from forge_shared import codec
from forge_shared.messages import Host


class RevokedError(Exception):
    """The token was revoked after its request had begun."""


class Receipt(NamedTuple):
    """How a push came in. ``received_at``: Unix ms. ``heard_ms``: by the listening clock.
    ``clock_offset_ms``: collector's clock minus the node's, if the push told.
    ``credential_id``: of the token it came with. ``boot_id``: of the agent that sent it, if a
    replay told."""

    received_at: int
    heard_ms: int
    clock_offset_ms: int | None
    credential_id: str
    boot_id: str | None = None


class Place(NamedTuple):
    """Where a boot belongs. ``is_rival``: another boot of that node is the live one, and followed
    this. ``settled``: nodes that changed otherwise than by being heard."""

    node_id: str
    pushed_as: str | None = None
    is_rival: bool = False
    settled: tuple[NodeRow, ...] = ()


def place_live(tx: Tx, node_id: str, boot_id: str, host: Host | None, receipt: Receipt) -> Place:
    """Find where a boot belongs that pushes live to a node and is not the node's live boot; note
    that it was heard there. Raises RevokedError."""
    node = nodes.find(tx, node_id)
    if node is None:
        return _first(tx, node_id, receipt)
    known = history.standing(tx, node_id, boot_id)
    if known is not None:
        return _known(tx, node, node_id, known, receipt)
    owner = history.owner(tx, node_id, boot_id)
    if owner is not None and (known := history.standing(tx, owner, boot_id)) is not None:
        return _known(tx, nodes.found(tx, owner), node_id, known, receipt)
    settled: tuple[NodeRow, ...] = ()
    if node.sibling_of is not None:
        # It comes with a token of its own: whoever put it there told the two apart.
        nodes.set_on_its_own(tx, node_id)
        settled = (nodes.found(tx, node_id),)
    chosen = _continued(tx, node, host, receipt.heard_ms) or node_id
    nodes.hear(tx, chosen, receipt.received_at, receipt.heard_ms)
    return Place(chosen, _pushed_as(chosen, node_id), settled=settled)


def place_replayed(
    tx: Tx, node_id: str, boot_ids: list[str], receipt: Receipt
) -> tuple[Place, dict[str, Place]]:
    """Find where the agent belongs that sends a replay, and the boots it replays: what is not
    known, to that agent's node. Note that this one was heard. Raises RevokedError."""
    sender = receipt.boot_id
    home_id = node_id if sender is None else _owner(tx, node_id, sender) or node_id
    is_rival = False
    if sender is None or not nodes.hear_live_boot(
        tx, home_id, sender, receipt.received_at, receipt.heard_ms
    ):
        # A rival's replay is no sign of life of the boot that is live.
        is_rival = sender is not None and history.standing(tx, home_id, sender) is not None
        if not is_rival and not nodes.hear(tx, home_id, receipt.received_at, receipt.heard_ms):
            _first(tx, home_id, receipt)
    owners = {boot_id: _owner(tx, node_id, boot_id) or home_id for boot_id in boot_ids}
    places = {
        boot_id: Place(owner, _pushed_as(owner, node_id)) for boot_id, owner in owners.items()
    }
    return Place(home_id, is_rival=is_rival), places


def settle(tx: Tx, origin_id: str, place: Place, boot_id: str, receipt: Receipt) -> Place:
    """Take note that a boot which had been followed by another went on pushing; return where it
    belongs from now on."""
    back = history.standing(tx, place.node_id, boot_id)
    node = nodes.found(tx, place.node_id)
    if back is None or node.live_boot_id is None:
        return place
    if back.late_since_ms is None:
        history.set_late_since(tx, back.boot, receipt.heard_ms)
        return place
    live = history.standing(tx, node.id, node.live_boot_id)
    verdict = rules.rivalry(
        receipt.heard_ms,
        back.late_since_ms,
        node.heard_ms,
        rules.expected_interval_s(node.host),
        have_both_returned=back.has_returned and live is not None and live.has_returned,
    )
    if verdict is Rivalry.UNDECIDED:
        return place
    if verdict is Rivalry.RETURNED or live is None:
        history.set_returned(tx, back.boot)
        _seat(tx, node.id, back, receipt.received_at, receipt.heard_ms)
        return place._replace(is_rival=False, settled=(nodes.found(tx, node.id),))
    return _separated(tx, origin_id, node, _Pair(back, live), receipt) or place


class _Pair(NamedTuple):
    """Two boots of one node that both push: the one that came back, and the live one."""

    back: Standing
    live: Standing


def _separated(
    tx: Tx, origin_id: str, node: NodeRow, pair: _Pair, receipt: Receipt
) -> Place | None:
    """Give the later of two boots that are two machines a node of its own, or that of a sibling
    which fell silent; None when there are too many."""
    stays, leaves = sorted(pair, key=lambda boot: boot.boot)
    origin = node if node.id == origin_id else nodes.found(tx, origin_id)
    heard = {
        pair.back.boot: (receipt.received_at, receipt.heard_ms),
        pair.live.boot: (node.last_seen, node.heard_ms),
    }
    target_id = _continued(tx, origin, _host(leaves), receipt.heard_ms, besides=node.id)
    if target_id is None:
        sibling = _new_sibling(tx, origin, receipt)
        if sibling is None:
            return None
        target_id = sibling.id
        nodes.add(tx, sibling)
    history.hand_over(tx, leaves.boot, target_id, _pushed_as(target_id, origin_id))
    for boot in pair:
        history.set_late_since(tx, boot.boot, None)
    _seat(tx, target_id, leaves, *heard[leaves.boot])
    _seat(tx, node.id, stays, *heard[stays.boot])
    home = target_id if leaves is pair.back else node.id
    settled = (nodes.found(tx, node.id), nodes.found(tx, target_id))
    return Place(home, _pushed_as(home, origin_id), settled=settled)


def _first(tx: Tx, node_id: str, receipt: Receipt) -> Place:
    """Add a node that is heard for the first time."""
    if not access.exists(tx, receipt.credential_id):
        raise RevokedError
    at, heard_ms = receipt.received_at, receipt.heard_ms
    nodes.add(
        tx,
        NodeRow(node_id, node_id, [], False, Host(), at, at, heard_ms, None, None),
    )
    return Place(node_id)


def _known(tx: Tx, node: NodeRow, origin_id: str, boot: Standing, receipt: Receipt) -> Place:
    place = Place(node.id, _pushed_as(node.id, origin_id))
    if boot.was_live and node.live_boot_id != boot.boot_id:
        return place._replace(is_rival=True)
    nodes.hear(tx, node.id, receipt.received_at, receipt.heard_ms)
    return place


def _seat(tx: Tx, node_id: str, boot: Standing, last_seen: int, heard_ms: int) -> None:
    """Make a boot the live one of its node, with the facts it told."""
    nodes.set_live_boot(tx, node_id, boot.boot_id)
    host = _host(boot)
    if host is not None:  # agents tell them once
        nodes.set_host(tx, node_id, host)
    nodes.hear(tx, node_id, last_seen, heard_ms)


def _new_sibling(tx: Tx, origin: NodeRow, receipt: Receipt) -> NodeRow | None:
    """Return a sibling with the lowest number that is free; None when there are too many."""
    for number in rules.SIBLING_NUMBERS:
        node_id = rules.sibling_id(origin.id, number)
        if not nodes.exists(tx, node_id) and not access.is_of_node(tx, node_id):
            return origin._replace(
                id=node_id,
                name=rules.sibling_name(origin.id, origin.name, number),
                first_seen=receipt.received_at,
                live_boot_id=None,
                last=None,
                sibling_of=origin.id,
            )
    return None


def _continued(
    tx: Tx, origin: NodeRow, host: Host | None, now_ms: int, *, besides: str | None = None
) -> str | None:
    """Return which of those that share a token a boot continues; None: none of them. ``besides``:
    where it cannot belong; among the others it then continues one that fell silent."""
    siblings = nodes.siblings_of(tx, origin.id)
    if not siblings:
        return None
    members = [
        rules.Member(
            node.id,
            node.host,
            now_ms - node.heard_ms,
            rules.is_overdue(now_ms - node.heard_ms, rules.expected_interval_s(node.host)),
        )
        for node in (origin, *siblings)
    ]
    if besides is not None:
        members = [each for each in members if each.is_overdue and each.node_id != besides]
    return rules.continued(members, host)


def _owner(tx: Tx, node_id: str, boot_id: str) -> str | None:
    """Return the node that a boot belongs to, of those that push to this one."""
    if history.standing(tx, node_id, boot_id) is not None:
        return node_id
    return history.owner(tx, node_id, boot_id)


def _pushed_as(node_id: str, origin_id: str) -> str | None:
    return None if node_id == origin_id else origin_id


def _host(boot: Standing) -> Host | None:
    return None if boot.host is None else codec.decode(boot.host.encode(), Host)
