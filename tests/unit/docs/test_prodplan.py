"""docs/prodplan.md tells all of what a plan and a result may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forge_prodplan import errors
from forge_prodplan.payload import read
from tests.prodplan_process import FOLDER

DOCUMENT = (Path(__file__).parents[3] / "docs" / "prodplan.md").read_text()


def keys(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from keys(part)


def test_every_key_of_a_plan_and_of_a_result() -> None:
    for name in ("payload.schema.json", "result.schema.json"):
        for key in keys(json.loads((FOLDER / name).read_text())):
            assert re.search(rf'[`"]{key}[`"]', DOCUMENT), key


def test_every_error() -> None:
    documented = set(re.findall(r"^\| `(\w+)` \| .* \| (yes|no) \|$", DOCUMENT, re.MULTILINE))
    raised = errors.PlanError.__subclasses__()
    assert documented == {(each.code, "yes" if each.retryable else "no") for each in raised}


def test_the_example_is_a_plan() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    found = read(json.loads(example))
    assert [job.id for job in found.plan.jobs] == ["table", "chairs"]
    assert found.time_limit_s == 30
