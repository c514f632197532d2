"""What a job's program says, made fit to be told to others."""

from __future__ import annotations

import json

import pytest

from forge_agent.core import job_lines
from forge_agent.core.job_lines import News


def test_what_is_told_once_is_not_told_again() -> None:
    news = News()
    assert news.take_progress({"fraction": 0.5, "message": "half"})
    assert news.tell() == {"progress": {"fraction": 0.5, "message": "half"}}
    assert not news.waiting
    assert not news.take_progress({"fraction": 0.5})
    assert not news.waiting


def test_what_could_not_be_told_is_told_later() -> None:
    news = News()
    news.take_incumbent({"objective": 60, "bound": 50}, 1)
    told = news.tell()
    news.take_incumbent({"objective": 55, "bound": 55, "gap": 0}, 2)
    news.take_back(told)
    assert news.tell() == {
        "progress": {"objective": 55, "bound": 55, "gap": 0},
        "incumbents": [
            {"at": 1, "objective": 60, "bound": 50},
            {"at": 2, "objective": 55, "bound": 55},
        ],
    }


def test_an_incumbent_without_a_bound_forgets_the_bound_of_another() -> None:
    news = News()
    news.take_incumbent({"objective": 60, "bound": 50, "gap": 0.2}, 1)
    news.take_incumbent({"objective": 55}, 2)
    assert news.progress == {"objective": 55}


def test_a_flood_of_incumbents_keeps_the_first_and_the_latest() -> None:
    news = News()
    for objective in range(5000, 0, -1):
        news.take_incumbent({"objective": objective}, 5000 - objective)
    incumbents = news.tell()["incumbents"]
    assert len(incumbents) == 1000
    assert incumbents[0]["objective"] == 5000
    assert [one["objective"] for one in incumbents[-2:]] == [2, 1]


@pytest.mark.parametrize(
    "fraction", [float("nan"), float("inf"), True, "0.5", None, [0.5], 10**400]
)
def test_what_is_no_number_is_not_told(fraction: object) -> None:
    news = News()
    assert not news.take_progress({"fraction": fraction})
    assert not news.take_incumbent({"objective": fraction}, 1)
    assert not news.waiting


def test_what_is_told_keeps_to_the_bounds_of_the_messages() -> None:
    news = News()
    news.take_progress({"fraction": 7, "message": "m" * 1000})
    news.take_incumbent({"objective": 1, "gap": -0.5}, 1)
    assert news.progress == {"fraction": 1.0, "message": "m" * 256, "objective": 1, "gap": 0.0}
    error = job_lines.error_of({"code": "c" * 100, "message": "m" * 5000, "retryable": False})
    assert (len(error["code"]), len(error["message"]), error["retryable"]) == (64, 1024, False)
    assert job_lines.error_of({"message": "\ud800?"})["message"] == "??"
    assert job_lines.error_of({"code": 7}) == {"code": "failed", "message": "", "retryable": True}
    json.dumps(news.tell(), allow_nan=False)
