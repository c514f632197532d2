"""What every engine must do: units that share a batch, and what one of them may do to the rest."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

import pytest

from forge_collector.db import ConflictError, Database, DatabaseError, Tx
from tests.integration.db.backends import Backend
from tests.integration.db.batches import Items, held_writer, in_one_batch, queued


class BrokenError(Exception):
    """What a test's unit raises."""


def broken(tx: Tx) -> NoReturn:
    Items.insert(999)(tx)
    raise BrokenError("after it had written")


async def test_the_units_that_wait_share_one_commit(backend: Backend) -> None:
    batches: list[int] = []
    db = Database(backend.engine(), observe_batch=lambda units, _seconds: batches.append(units))

    await in_one_batch(db, *(Items.insert(item) for item in range(50)))
    await db.close()

    assert batches == [1, 50]  # the gate, then what waited behind it


async def test_units_run_in_the_order_they_were_handed_in(db: Database) -> None:
    ran: list[int] = []

    await in_one_batch(db, *(lambda _tx, number=number: ran.append(number) for number in range(99)))

    assert ran == list(range(99))


async def test_a_unit_that_raises_rolls_back_alone(db: Database) -> None:
    first, failed, last = await in_one_batch(db, Items.insert(1), broken, Items.insert(2))

    assert (first, last) == (1, 2)
    assert isinstance(failed, BrokenError)
    assert await db.read(Items.ids) == [1, 2]


async def test_results_and_exceptions_reach_their_own_caller(db: Database) -> None:
    def failing(number: int) -> Any:
        def unit(_tx: Tx) -> NoReturn:
            raise BrokenError(number)

        return unit

    units = [failing(number) if number % 3 == 0 else Items.insert(number) for number in range(30)]
    results = await in_one_batch(db, *units)

    for number, result in enumerate(results):
        if number % 3 == 0:
            assert isinstance(result, BrokenError)
            assert result.args == (number,)
        else:
            assert result == number


async def test_a_broken_constraint_is_a_conflict_of_its_unit_alone(db: Database) -> None:
    first, second, other = await in_one_batch(
        db, Items.insert(1, "mine"), Items.insert(1, "no, mine"), Items.insert(2)
    )

    assert (first, other) == (1, 2)
    assert isinstance(second, ConflictError)
    assert await db.read(Items.ids) == [1, 2]


async def test_a_unit_may_handle_its_own_conflict_and_go_on(db: Database) -> None:
    await db.write(Items.insert(1))

    def unit(tx: Tx) -> str:
        # Portable: after an error PostgreSQL runs nothing more in that savepoint, so guard first.
        inserted = tx.execute(
            "INSERT INTO items (id, label) VALUES (1, 'new') ON CONFLICT (id) DO NOTHING"
        )
        return "new" if inserted.rowcount else "known"

    assert await db.write(unit) == "known"


async def test_units_of_a_batch_see_what_those_before_them_wrote(db: Database) -> None:
    _, seen, _, seen_after_rollback = await in_one_batch(
        db, Items.insert(1), Items.ids, broken, Items.ids
    )

    assert seen == [1]
    assert seen_after_rollback == [1]


async def test_nothing_of_a_batch_whose_commit_fails_is_kept_or_acknowledged(db: Database) -> None:
    def orphan(tx: Tx) -> None:
        tx.execute("INSERT INTO parts (id, item) VALUES (1, 404)")  # found out at COMMIT

    results = await in_one_batch(db, Items.insert(1), orphan, Items.insert(2))

    for result in results:
        assert isinstance(result, DatabaseError)
        # A conflict would say that this unit was at fault, and alone rolled back.
        assert not isinstance(result, ConflictError)
    assert len({id(result) for result in results}) == 3  # each caller adds its own traceback
    assert await db.read(Items.ids) == []
    assert await db.write(Items.insert(3)) == 3


async def test_an_exception_no_future_can_carry_still_reaches_its_caller(db: Database) -> None:
    def exhausted(_tx: Tx) -> int:
        return next(iter(()))

    first, failed, last = await in_one_batch(db, Items.insert(1), exhausted, Items.insert(2))

    assert (first, last) == (1, 2)
    assert isinstance(failed, Exception)


async def test_a_caller_that_was_cancelled_takes_nobody_with_it(db: Database) -> None:
    async with held_writer(db):
        before, cancelled, after = await queued(
            db, Items.insert(1), Items.insert(2), Items.insert(3)
        )
        cancelled.cancel()

    assert (await before, await after) == (1, 3)
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert db.waiting == 0
    assert await db.write(Items.insert(4)) == 4
