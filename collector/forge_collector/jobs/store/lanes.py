"""Lanes: pending jobs with the same needs stand in one, in the order of their ranks.

A claim looks at the lanes whose needs the worker meets, and at nothing else. Whoever makes a job
pending puts it into its lane, which is made then if need be; an empty one may go at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from forge_collector.db import Tx, Value
from forge_collector.jobs import rules
from forge_collector.jobs.rules import Needs
from forge_shared.job_messages import Requirements, ResourceClass

_LAST_LANE: Final = "last_job_lane"
_ANY_NODE: Final = ""
_AS_ITS_TYPE_SAYS: Final = ""


class Lane(NamedTuple):
    """A lane, and the least rank of those in it that can be started."""

    lane: int
    needs: Needs
    head: int


class Place(NamedTuple):
    """Where a job stands once it is pending."""

    lane: int
    needs: Needs


def place(tx: Tx, type_: str, wanted: str | None, requirements: str) -> Place:
    """Return the lane of these needs, made now if there was none. ``wanted``: the class, None: as
    the type says."""
    requires = rules.requirements(requirements)
    row = tx.execute(
        """
        SELECT lane, resource_class FROM job_lanes
        WHERE type = :type AND node_id = :node_id AND wanted_class = :wanted
          AND requirements = :requirements
        """,
        _key(type_, wanted, requirements, requires),
    ).fetchone()
    if row is None:
        row = _made(tx, type_, wanted, requirements, requires)
    return Place(row[0], Needs(type_, ResourceClass(row[1]), requires))


def heads(tx: Tx, types: Sequence[str], node_id: str, now_ms: int) -> list[Lane]:
    """Return the lanes of these types in which jobs stand, but for those of other machines. A job
    that is past its deadline stands there only until the sweep."""
    params: dict[str, Value] = {f"type{number}": type_ for number, type_ in enumerate(types)}
    names = ", ".join(f":{name}" for name in params)
    rows = tx.execute(
        f"""
        SELECT lane, type, resource_class, requirements, (
            SELECT rank FROM job_queue
            WHERE job_queue.lane = job_lanes.lane AND status = 'pending'
              AND (deadline IS NULL OR deadline > :now)
            ORDER BY rank, id LIMIT 1
        )
        FROM job_lanes WHERE type IN ({names}) AND node_id IN (:any_node, :node_id)
        """,
        {**params, "any_node": _ANY_NODE, "node_id": node_id, "now": now_ms},
    ).fetchall()
    return [
        Lane(lane, Needs(type_, ResourceClass(class_), rules.requirements(requirements)), head)
        for lane, type_, class_, requirements, head in rows
        if head is not None
    ]


def leading(tx: Tx, type_: str | None, after: tuple[int, str], most: int) -> list[int]:
    """Return the lanes in which the next jobs stand that come after this rank and id: no other has
    one among the first ``most``. ``type_``: of this one alone."""
    of_type = "" if type_ is None else "WHERE type = :type"
    rows = tx.execute(
        f"""
        SELECT heads.lane FROM (
            SELECT lane, (
                SELECT id FROM job_queue
                WHERE job_queue.lane = job_lanes.lane AND status = 'pending'
                  AND (rank, id) > (:after, :after_id)
                ORDER BY rank, id LIMIT 1
            ) AS head
            FROM job_lanes {of_type}
        ) AS heads
        JOIN job_queue AS q ON q.id = heads.head ORDER BY q.rank, q.id LIMIT :most
        """,
        {
            "after": after[0],
            "after_id": after[1],
            "most": most,
            **({} if type_ is None else {"type": type_}),
        },
    ).fetchall()
    return [lane for (lane,) in rows]


def set_class(tx: Tx, type_: str, resource_class: ResourceClass) -> list[int]:
    """Give the jobs of a type that name no class another; return the lanes that changed."""
    rows = tx.execute(
        """
        UPDATE job_lanes SET resource_class = :class
        WHERE type = :type AND wanted_class = :unnamed AND resource_class <> :class
        RETURNING lane
        """,
        {"class": resource_class.value, "type": type_, "unnamed": _AS_ITS_TYPE_SAYS},
    ).fetchall()
    return [lane for (lane,) in rows]


def prune(tx: Tx) -> int:
    """Remove the lanes in which nothing stands; return how many."""
    return tx.execute(
        """
        DELETE FROM job_lanes WHERE NOT EXISTS (
            SELECT 1 FROM job_queue WHERE job_queue.lane = job_lanes.lane AND status = 'pending'
        )
        """
    ).rowcount


def _made(
    tx: Tx, type_: str, wanted: str | None, requirements: str, requires: Requirements
) -> tuple[int, str]:
    (lane,) = tx.execute(
        """
        INSERT INTO collector (key, value) VALUES (:key, 1)
        ON CONFLICT (key) DO UPDATE SET value = collector.value + 1
        RETURNING value
        """,
        {"key": _LAST_LANE},
    ).fetchone()
    resource_class = wanted or class_of(tx, type_).value
    tx.execute(
        """
        INSERT INTO job_lanes (lane, type, node_id, wanted_class, resource_class, requirements)
        VALUES (:lane, :type, :node_id, :wanted, :class, :requirements)
        """,
        {
            **_key(type_, wanted, requirements, requires),
            "lane": lane,
            "class": resource_class,
        },
    )
    return lane, resource_class


def class_of(tx: Tx, type_: str) -> ResourceClass:
    """Return the class of the newest plugin of a type, or the usual one."""
    rows = tx.execute(
        "SELECT version, resource_class FROM job_types WHERE name = :type", {"type": type_}
    ).fetchall()
    if not rows:
        return ResourceClass.CPU
    return ResourceClass(max(rows, key=lambda row: rules.version(row[0]))[1])


def _key(
    type_: str, wanted: str | None, requirements: str, requires: Requirements
) -> dict[str, Value]:
    return {
        "type": type_,
        "node_id": requires.node or _ANY_NODE,
        "wanted": wanted or _AS_ITS_TYPE_SAYS,
        "requirements": requirements,
    }
