"""What joining decides: answers to a claim, and what becomes of the owner's settings."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forge_agent import private_files, settings_file
from forge_agent.core import joining
from forge_agent.core.joining import Claimed, Refused
from forge_agent.core.untrusted import printable
from forge_shared import codec, identity
from forge_shared.joining import JoinString
from forge_shared.messages import JoinRequest

CODE = identity.mint_code()
JOINED = {
    "NODE_ID": "nas-2",
    "CENTRAL_URL": "https://192.168.1.10:8750",
    "BEARER_TOKEN": "forge_secret",
    "FORGE_CA_FILE": "/etc/forge-fleet/ca.pem",
}


def problem(code: str, detail: str) -> bytes:
    return json.dumps({"code": code, "detail": detail}).encode()


def test_a_claim_is_what_the_collector_reads_and_holds_no_secret_of_the_token() -> None:
    token = identity.mint("forge", 1_795_000_000_000)
    body = joining.claim(JoinString("http://c", None, CODE), str(token), "näs\n2", "nas-2")
    request = codec.decode(body, JoinRequest)
    assert request.code == CODE
    assert request.token_id == token.id
    assert request.secret_hash == identity.secret_hash(token.secret).hex()
    assert (request.hostname, request.node_id) == ("näs 2", "nas-2")
    assert token.secret.encode() not in body


def test_a_claim_without_an_id_leaves_it_to_the_collector() -> None:
    token = str(identity.mint("forge", 1_795_000_000_000))
    body = joining.claim(JoinString("http://c", None, CODE), token, "h", None)
    assert codec.decode(body, JoinRequest).node_id is None


def test_a_refusal_is_told_in_the_collectors_words_made_fit_for_a_terminal() -> None:
    judged = joining.judge(403, problem("invite_unknown", "No such \x1b[2J invite.\nLook"), "")
    assert judged == Refused("No such \N{REPLACEMENT CHARACTER}[2J invite. Look")


@pytest.mark.parametrize(
    ("status", "code", "free"),
    [
        (410, "invite_used_up", True),
        # With a mistyped code the token may still be the one of an earlier claim.
        (403, "invite_unknown", False),
        (409, "node_id_taken", False),
        (429, "too_many_attempts", False),
        (503, "overloaded", False),
    ],
)
def test_only_an_ended_invite_gives_the_token_back(status: int, code: str, free: bool) -> None:
    judged = joining.judge(status, problem(code, "So it is."), "")
    assert isinstance(judged, Refused)
    assert judged.token_is_free is free
    assert judged.why.startswith("So it is.")


@pytest.mark.parametrize(
    ("status", "body", "location", "said"),
    [
        (200, b"<html>Welcome to the hotel</html>", "", "sign in"),
        (200, b'{"node_id": "\\u001b[2J"}', "", "sign in"),
        (200, b'{"node_id": 7}', "", "sign in"),
        (302, b"", "https://else.where/\x1b", "https://else.where/"),
        (404, b"<html>", "", "older"),
        (502, b"<html>Bad gateway</html>", "", "again"),
        (500, b"[" * 100_000, "", "again"),
        (418, b"teapot", "", "418"),
    ],
)
def test_answers_of_others_join_nobody(status: int, body: bytes, location: str, said: str) -> None:
    judged = joining.judge(status, body, location)
    assert isinstance(judged, Refused)
    assert said in judged.why
    assert judged.why.isprintable()
    assert not judged.token_is_free


def test_a_collector_that_takes_the_claim_names_the_node() -> None:
    assert joining.judge(200, b'{"node_id": "nas-2", "more": 1}', "") == Claimed("nas-2")


@given(st.dictionaries(st.from_regex(r"[A-Za-z_]{1,9}", fullmatch=True), st.text()))
def test_whatever_is_written_as_toml_is_read_back(values: dict[str, str]) -> None:
    assert tomllib.loads(joining.toml(values)) == values


@given(st.text())
def test_what_is_shown_is_one_line_of_bounded_length(text: str) -> None:
    shown = printable(text, 40)
    assert shown.isprintable()
    assert len(shown) <= 40


# --- the file ------------------------------------------------------------------------------------


def written(folder: Path, before: str | None) -> str:
    """Join over a file with this text; return the new one's."""
    path = folder / "agent.toml"
    if before is not None:
        path.write_text(before)
    settings_file.write(path, settings_file.read(path), JOINED, "the-invite")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in folder.iterdir()] == ["agent.toml"]
    return path.read_text()


def test_a_new_file_holds_what_was_joined(tmp_path: Path) -> None:
    assert tomllib.loads(written(tmp_path, None)) == JOINED
    assert settings_file.read(tmp_path / "agent.toml").invite_id == "the-invite"


def test_what_the_owner_wrote_stays_comments_and_all(tmp_path: Path) -> None:
    before = '# mine\nforge_interval_s = 60  # slow\nnode_id = "old"\n"BEARER_TOKEN"="old"\n'
    text = written(tmp_path, before)
    assert tomllib.loads(text) == {**JOINED, "forge_interval_s": 60}
    assert "# mine\nforge_interval_s = 60  # slow\n" in text
    assert '"old"' not in text


def test_joining_again_leaves_one_of_each_line(tmp_path: Path) -> None:
    assert written(tmp_path, written(tmp_path, None)) == written(tmp_path, None)


def test_settings_that_lines_do_not_show_are_kept_without_their_looks(tmp_path: Path) -> None:
    text = written(tmp_path, 'FORGE_DISKS = """\nNODE_ID = 1\n"""\nFORGE_INTERVAL_S = 5\n')
    kept = {"FORGE_DISKS": "NODE_ID = 1\n", "FORGE_INTERVAL_S": 5}
    assert tomllib.loads(text) == {**JOINED, **kept}


@pytest.mark.parametrize("text", ["NODE_ID = ", "[table]\nx = 1\n", "x = 1.5\n"])
def test_a_file_that_is_no_settings_is_not_touched(tmp_path: Path, text: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    with pytest.raises(settings_file.UnreadableError):
        settings_file.read(path)


def test_a_torn_note_of_a_pending_token_is_none(tmp_path: Path) -> None:
    path = tmp_path / "joining"
    settings_file.write_pending(path, joining.Pending("https://c", "forge_token"))
    assert settings_file.read_pending(path) == joining.Pending("https://c", "forge_token")
    path.write_bytes(path.read_bytes()[:-9])
    assert settings_file.read_pending(path) is None


def test_a_file_is_replaced_whole_and_stays_behind_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("before")
    real.chmod(0o644)
    link.symlink_to(real)
    private_files.write(link, b"after")
    assert link.is_symlink()
    assert (real.read_bytes(), stat.S_IMODE(real.stat().st_mode)) == (b"after", 0o600)


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "is-a-folder"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        private_files.write(path, b"after")
    assert list(tmp_path.iterdir()) == [path]
