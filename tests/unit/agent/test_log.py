from __future__ import annotations

import ast
import io
import json
import string
from collections.abc import Iterator
from pathlib import Path

import forge_agent
from forge_agent.core.sparse import REPEAT_AFTER_S, Sparse
from forge_agent.log import EVENTS, Log

SOURCES = Path(forge_agent.__file__).parent


def said(*, human: bool, reason: str) -> str:
    stream = io.StringIO()
    Log(stream, human=human).event("offline", reason=reason, spool_bytes=7)
    return stream.getvalue()


def test_a_line_of_json() -> None:
    record = json.loads(said(human=False, reason="gone"))
    assert record.pop("ts") > 1_700_000_000_000
    assert record == {"level": "warning", "event": "offline", "reason": "gone", "spool_bytes": 7}


def test_a_sentence_on_a_terminal() -> None:
    assert said(human=True, reason="gone") == "✗ offline: gone. Spooling to disk (7 B).\n"


def test_control_characters_reach_neither() -> None:
    hostile = "a\x1b[2J\n\r\x07\x9b\u202e{0}"
    for human in (True, False):
        text = said(human=human, reason=hostile)
        assert text.count("\n") == 1
        assert not set("\x1b\r\x07\x9b\u202e") & set(text)


def test_long_strings_are_cut_on_a_terminal() -> None:
    assert len(said(human=True, reason="x" * 10_000)) < 500


def test_a_push_is_shown_on_a_terminal_only() -> None:
    for human, expected in [(True, "✓ pushed  cpu=3.2%  mem=42%  (every 5s)\n"), (False, "")]:
        stream = io.StringIO()
        Log(stream, human=human).pushed({"cpu.pct": 3.2, "mem.pct": 42.4}, 5)
        assert stream.getvalue() == expected


def test_a_stream_that_fails_is_no_reason_to_stop() -> None:
    stream = io.StringIO()
    stream.close()
    Log(stream, human=True).event("parent_gone")


def test_what_goes_on_is_said_each_minute() -> None:
    sparse = Sparse()
    assert sparse.due("refused", 0)
    assert not sparse.due("refused", REPEAT_AFTER_S - 1)
    assert sparse.due("refused", REPEAT_AFTER_S)
    assert sparse.due("timed out", REPEAT_AFTER_S + 1)
    assert sparse.over()
    assert not sparse.over()
    assert sparse.due("timed out", REPEAT_AFTER_S + 2)


def events_said() -> Iterator[tuple[str, set[str]]]:
    """Yield each event that the source says, with the names of the fields it gives."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            first = node.args[0] if node.args else None
            if node.func.attr in {"event", "persists"} and isinstance(first, ast.Constant):
                yield str(first.value), {keyword.arg or "" for keyword in node.keywords}


def test_each_event_is_declared_and_given_the_fields_of_its_sentence() -> None:
    seen = set()
    for event, fields in events_said():
        wanted = {
            name for _, name, _, _ in string.Formatter().parse(EVENTS[event].sentence) if name
        }
        assert wanted <= fields, event
        seen.add(event)
    assert seen == set(EVENTS)
