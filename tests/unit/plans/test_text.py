from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forge_shared.plans.document import plan_from_json
from forge_shared.plans.model import After, MalformedPlanError, Mode, plan_to_json
from forge_shared.plans.text import Format, format_of_text, plan_from_text
from tests.prodplan_process import PLANS, text_of

FILES = sorted(path.name for path in PLANS.iterdir() if path.suffix != ".md")


@pytest.mark.parametrize(
    ("name", "kind", "machines", "operations"),
    [
        ("ft06.txt", Format.JSPLIB, 6, 36),
        ("la01.txt", Format.JSPLIB, 5, 50),
        ("mk01.fjs", Format.FJSPLIB, 6, 55),
        ("j301_1.sm", Format.PSPLIB, 0, 32),
        ("c154_3.mm", Format.PSPLIB, 0, 18),
    ],
)
def test_formats_are_told_apart_by_content(
    name: str, kind: Format, machines: int, operations: int
) -> None:
    plan = plan_from_text(text_of(name))
    assert format_of_text(text_of(name)) is kind
    assert len(plan.machines) == machines
    assert len(list(plan.operations())) == operations


@pytest.mark.parametrize("name", FILES)
def test_a_read_plan_is_the_same_as_json(name: str) -> None:
    plan = plan_from_text(text_of(name))
    assert plan_from_json(plan_to_json(plan)) == plan


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('\n{"jobs": [\n1,]}', "line 3, column 3: is JSON that does not parse: "),
        ("\ufeff[1", "line 1, column 3: is JSON that does not parse: "),
        ("[" * 100_000, "text: is JSON that is nested too deeply"),
        (' {"jobs": []}', "text: is JSON: give the plan itself"),
    ],
)
def test_json_is_called_json(text: str, told: str) -> None:
    with pytest.raises(MalformedPlanError) as error:
        plan_from_text(text)
    assert str(error.value).startswith(told)


def test_a_job_shop() -> None:
    plan = plan_from_text("# ft02\n\n2 2\n0 3 1 4\r\n1 5   0 6\n")
    first, second = plan.jobs
    assert [operation.modes for operation in first.operations] == [
        (Mode(3, ("1",), {}),),
        (Mode(4, ("2",), {}),),
    ]
    assert second.operations[1].after == (After("2", "1"),)


def test_a_job_shop_that_counts_machines_from_one() -> None:
    plan = plan_from_text("1 2\n1 3 2 4\n")
    assert [each.modes[0].machines for each in plan.jobs[0].operations] == [("1",), ("2",)]


@pytest.mark.parametrize("header", ["2 3", "2 3 1.5", "2 3 1"])
def test_a_flexible_job_shop_with_and_without_its_average(header: str) -> None:
    plan = plan_from_text(f"{header}\n2 2 1 5 3 4 1 2 7\n1 1 3 6\n")
    operations = plan.jobs[0].operations
    assert operations[0].modes == (Mode(5, ("1",), {}), Mode(4, ("3",), {}))
    assert len(plan.jobs[1].operations) == 1


def test_a_flexible_job_shop_with_lines_as_long_as_a_classic_one_has() -> None:
    text = "2 3\n1 2 1 5 3 4\n1 2 2 2 1 7\n"  # two numbers for each machine
    assert format_of_text(text) is Format.FJSPLIB


def test_a_flexible_job_shop_that_counts_machines_from_zero() -> None:
    plan = plan_from_text("1 2 1\n2 1 0 5 1 1 4\n")
    assert [each.modes[0].machines for each in plan.jobs[0].operations] == [("1",), ("2",)]


def test_a_project_in_several_modes() -> None:
    plan = plan_from_text(text_of("c154_3.mm"))
    assert [(each.id, each.capacity, each.renewable) for each in plan.resources] == [
        ("R1", 20, True),
        ("R2", 26, True),
        ("N1", 23, False),
        ("N2", 36, False),
    ]
    second = plan.jobs[0].operations[1]
    assert second.after == (After("project", "1"),)
    assert second.modes[1] == Mode(1, (), {"R2": 10, "N1": 8})


JOB_SHOP = "2 2\n0 3 1 4\n1 5 0 6\n"
FLEXIBLE = "1 3 1\n2 2 1 5 3 4 1 2 7\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "text: is empty"),
        ("# nothing\n", "text: is empty"),
        ("hello\n", "line 1: is neither"),
        ("0 2\n", "line 1: promises no job"),
        ("2 2\n0 3 1 4\n", "line 2: is the last, and 1 of 2 jobs"),
        (JOB_SHOP + "\n0 1 1 1\n", "line 5: stands behind the last of 2 jobs"),
        ("3 2\n0 3 1 4\n1 5 0\n0 1 1 1\n", "line 3: has 3 numbers; a job on 2 machines has 4"),
        ("2 2\n0 3 1 4\n1 5 0 x\n", "line 3: 'x' is not a whole number"),
        ("2 2\n0 3 1 -4\n1 5 0 6\n", "line 2: '-4' is not a whole number"),
        ("2 2\n0 3 2 4\n1 5 0 6\n", "line 1: promises 2 machines, counted from 0; 2 is used"),
        ("1 1\n0 99999999999\n", "line 2: 99999999999 is more than"),
        ("1 3 1\n2 2 1 5 3 4 1 2\n", "line 2: ends within operation 2 of 2"),
        ("1 3 1\n3 2 1 5 3 4 1 2 7\n", "line 2: ends after 9 of 10 numbers"),
        ("1 3 1\n1 2 1 5 3 4 1 2 7\n", "line 2: goes on behind its 1 operations"),
        ("1 3 1\n1 0\n", "line 2: operation 1 has no machine"),
        ("1 3 1\n0\n", "line 2: is a job without operations"),
        ("999999 999999\n", "line 1: is the last, and 0 of 999999"),
        ("2 3\n0 3 1 4\n1 5 0 6\n", "line 2: has 4 numbers; a job on 3 machines has 6"),
        ("1 2\n0 3 1 4 2 5\n", "line 2: has 6 numbers; a job on 2 machines has 4"),
        ("2 3 1\n1 1 1 5\n", "line 2: is the last, and 1 of 2 jobs"),
        ("1 3 many\n1 1 1 5\n", "line 1: 'many' is no number"),
    ],
)
def test_the_line_that_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(MalformedPlanError) as error:
        plan_from_text(text)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("wrong", "right", "told"),
    [
        ("   2        1          3", "   2        1          2", "line 20: promises 2 successors"),
        (
            "   3        1          3           7",
            "   2        1          3           7",
            "line 21:",
        ),
        ("6  11  15", "6  11  99", "line 20: there is no activity 99"),
        (
            "  2      1     8       4    0",
            "  2      1     8       4",
            "line 56: is one more mode of activity 1",
        ),
        (" 12   13    4   12", " 12   13    4", "line 90: has 3 capacities"),
        ("RESOURCEAVAILABILITIES", "SOMETHING", "line 91: is the last, and RESOURCEAV"),
        (
            "supersource/sink ):  32",
            "supersource/sink ):  40",
            "line 6: promises 40 activities, and 32",
        ),
        (
            "supersource/sink ):  32",
            "supersource/sink ):  31",
            "line 6: promises 31 activities, and 32",
        ),
        (
            "renewable                 :  4",
            "renewable                 :  3",
            "line 89: names 4 renewable and 0 nonrenewable resources; 3 renewable and 0",
        ),
        ("onrenewable              :  0", "onrenewable              :  1", "line 89: names 4"),
        (
            "  - renewable                 :  4   R\n  - nonrenewable              :  0",
            "  - renewable                 :  2   R\n  - nonrenewable              :  2",
            "line 89: names 4 renewable and 0 nonrenewable resources; 2 renewable and 2",
        ),
        ("  1      1     0       0", "  1      1     0", "line 55: has 6 numbers; an activity's"),
        ("   12   13    4   12\n", "   12   13    4   12\n  9\n", "line 91: stands behind the cap"),
        ("doubly constrained        :  0", "doubly constrained        :  1", "line 11: doubly"),
        ("renewable                 :  4", "renewable                 :  x", "line 9: 'x' is not"),
    ],
)
def test_the_line_of_a_project_that_is_wrong_is_named(wrong: str, right: str, told: str) -> None:
    text = text_of("j301_1.sm")
    assert wrong in text
    with pytest.raises(MalformedPlanError) as error:
        plan_from_text(text.replace(wrong, right, 1))
    assert str(error.value).startswith(told)


def test_resources_are_counted_where_the_columns_have_no_names() -> None:
    text = text_of("j301_1.sm").replace("  R 1  R 2  R 3  R 4\n   12", "   12")
    plan_from_text(text)
    with pytest.raises(MalformedPlanError, match=r"^line 89: has 4 capacities; 5 resources were"):
        plan_from_text(text.replace("renewable                 :  4", "renewable : 5", 1))


@settings(deadline=None)
@given(st.text(st.sampled_from("0123456789 .-\n#xR") | st.characters()))
def test_any_text_is_a_plan_or_a_named_error(text: str) -> None:
    read_or_refused(text)


@settings(deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_a_damaged_file_is_a_plan_or_a_named_error(name: str, data: st.DataObject) -> None:
    words = text_of(name).split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place] = data.draw(st.sampled_from(["", "\n", "0", "7", "999999999999", "-1", "x"]))
    read_or_refused(" ".join(words)[: data.draw(st.none() | st.integers(0, 2000))])


def read_or_refused(text: str) -> None:
    plan = None
    with contextlib.suppress(MalformedPlanError):
        plan = plan_from_text(text)
    if plan is not None:
        assert plan_from_json(plan_to_json(plan)) == plan
