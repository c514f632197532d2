"""The journal of leases, and the spool of results: what a worker that starts again finds."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forge_agent.work.journal import Journal, Lease, OpenClaim
from forge_agent.work.results import Results

ONE, TWO = Lease("job-1", "lease-1"), Lease("job-2", "lease-2")


def yielded(lease: Lease, **more: object) -> dict[str, object]:
    return {"id": lease.job_id, "lease": lease.lease, "status": "yielded", **more}


def test_leases_are_there_for_the_worker_that_starts_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n1.one")
    journal.next_claim()
    journal.leased([ONE, TWO])
    journal.ended(ONE.lease)
    again = Journal(tmp_path, "n1.two")
    assert again.left_leases == [TWO]


def test_what_was_left_by_a_worker_that_was_told_to_stop_is_known_from_what_one_left_that_died(
    tmp_path: Path,
) -> None:
    stopping = Journal(tmp_path, "n1.one")
    stopping.leased([ONE])
    stopping.release()
    stopping.leased([TWO])  # what its last claim brought
    dying = Journal(tmp_path, "n1.two")
    three, four = Lease("job-3", "lease-3"), Lease("job-4", "lease-4")
    dying.leased([three, four])
    dying.ended(four.lease)
    # However often it starts before they are given back.
    for worker_id in ("n1.three", "n1.four"):
        again = Journal(tmp_path, worker_id)
        assert again.left_leases == [ONE, TWO, three]
        assert [again.is_released(one.lease) for one in again.left_leases] == [True, True, False]


def test_a_claim_keeps_its_id_until_it_is_answered(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n1.one")
    claim_id = journal.next_claim()
    assert journal.next_claim() == claim_id
    assert Journal(tmp_path, "n1.two").left_claim == OpenClaim(claim_id, "n1.one")
    journal = Journal(tmp_path, "n1.one")
    journal.leased([ONE])
    assert journal.next_claim() != claim_id


def test_a_new_worker_never_goes_on_with_the_claim_of_another(tmp_path: Path) -> None:
    claim_id = Journal(tmp_path, "n1.one").next_claim()
    assert Journal(tmp_path, "n1.two").next_claim() != claim_id


def test_a_line_that_was_torn_is_not_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n1.one")
    journal.leased([ONE])
    journal.close()
    with (tmp_path / "journal.ndjson").open("ab") as file:
        file.write(b'{"leased": [["job-9", "lea')
    again = Journal(tmp_path, "n1.two")
    assert again.left_leases == [ONE]
    again.leased([TWO])
    assert Journal(tmp_path, "n1.three").left_leases == [ONE, TWO]


@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 4096 + b"\n", b"[]\n7\nnull\n", b'{"leased":7}\n']
)
def test_a_damaged_journal_is_no_reason_to_stop(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.ndjson").write_bytes(content)
    assert Journal(tmp_path, "n1.one").left_leases == []


def test_nobody_asks_for_the_claim_of_another_node(tmp_path: Path) -> None:
    """The machine has another name now: its old claims would be refused for ever."""
    journal = Journal(tmp_path, "n1.one")
    journal.leased([ONE])
    again = Journal(tmp_path, "n2.two")
    assert again.left_claim is None
    assert again.left_worker is None
    assert again.left_leases == [ONE]


def test_a_worker_knows_whose_place_it_takes_even_if_that_never_claimed(tmp_path: Path) -> None:
    assert Journal(tmp_path, "n1.one").left_worker is None
    again = Journal(tmp_path, "n1.two")
    assert again.left_worker == "n1.one"
    again.next_claim()
    assert Journal(tmp_path, "n1.three").left_worker == "n1.two"


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full at that size: what is written to it comes to its end in part."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_what_a_full_disk_takes_in_part_is_not_journalled_and_harms_nothing_after_it(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path, "n1.one")
    journal.leased([ONE])
    size = (tmp_path / "journal.ndjson").stat().st_size
    with no_file_larger_than(size + 50), pytest.raises(OSError, match="No space"):
        journal.leased([TWO])
    journal.leased([TWO])
    assert Journal(tmp_path, "n1.two").left_leases == [ONE, TWO]


def test_a_journal_that_cannot_be_written_anew_goes_on_with_the_one_it_has(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n1.one")
    many = [Lease(f"job-{number}", "l" * 250 + str(number)) for number in range(1000)]
    journal.leased(many)
    with no_file_larger_than(1000):
        for _ in range(3):
            with pytest.raises(OSError, match="too large"):
                journal.leased([ONE])
    journal.leased([TWO])
    assert Journal(tmp_path, "n1.two").left_leases == [*many, ONE, TWO]


def test_a_result_that_was_sent_in_vain_lets_others_pass(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    results.put(yielded(ONE), {})
    results.put(yielded(TWO), {})
    results.give_back(results.take(1, 0, with_files=True))
    assert [one.lease for one in results.take(1, 0, with_files=True)] == [TWO.lease]


def test_the_journal_does_not_grow_without_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "n1.one")
    for turn in range(10):
        many = [Lease(f"job-{turn}.{number}", "l" * 50 + str(number)) for number in range(900)]
        journal.leased([ONE, *many])
        for lease in many:
            journal.ended(lease.lease)
    assert (tmp_path / "journal.ndjson").stat().st_size < 600_000
    assert ONE in Journal(tmp_path, "n1.two").left_leases


def test_results_outlive_the_worker_until_they_are_answered(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    assert results.put(yielded(ONE), {})
    assert results.put(yielded(TWO), {})
    again = Results(tmp_path / "results")
    assert again.leases() == {ONE.lease, TWO.lease}
    first, second = again.take(10, 10**6, with_files=True)
    assert (first.message, second.message) == (yielded(ONE), yielded(TWO))
    again.answered(first)
    again.give_back([second])
    assert [one.lease for one in again.take(10, 10**6, with_files=True)] == [TWO.lease]
    assert Results(tmp_path / "results").leases() == {TWO.lease}


def test_results_go_with_a_claim_as_far_as_there_is_room(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    large = tmp_path / "large"
    large.write_bytes(b"1")
    results.put(yielded(ONE), {"checkpoint": large})
    results.put(yielded(TWO), {})
    results.put(yielded(TWO._replace(lease="lease-3")), {})
    results.put(yielded(Lease("job-4", "lease-4"), checkpoint="c" * 5000), {})
    # One with a file goes another way, one job's second result later, and there is an end.
    assert [one.lease for one in results.take(10, 1000, with_files=False)] == ["lease-2"]
    [of_a_file] = results.take(1, 0, with_files=True)
    assert of_a_file.lease == "lease-1"
    results.answered(of_a_file)
    assert not large.exists()


def test_a_disk_that_takes_nothing_loses_no_result(tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    (tmp_path / "results").rmdir()
    assert not results.put(yielded(ONE), {})
    [result] = results.take(1, 0, with_files=True)
    results.answered(result)
    assert results.unanswered == 0
