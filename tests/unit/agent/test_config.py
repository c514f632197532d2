from __future__ import annotations

import os
from pathlib import Path

import pytest

from forge_agent import cli, config
from forge_agent.config import Settings, SettingsError, load, parse_dotenv
from tests.process import environment

GOOD = {
    "NODE_ID": "nas-2",
    "CENTRAL_URL": "http://192.168.1.10:8750",
    "BEARER_TOKEN": "forge_token",
    "FORGE_STATE_DIR": "/var/lib/forge",
}
NO_CONFIG = Path(os.devnull)


def loaded(folder: Path, environ: dict[str, str], **flags: str | None) -> Settings:
    names = {"node_id": "NODE_ID", "url": "CENTRAL_URL", "interval": "FORGE_INTERVAL_S"}
    return load(
        flags={names[flag]: value for flag, value in flags.items()},
        environ=environ,
        folder=folder,
        config_file=NO_CONFIG,
    )


def problems_with(folder: Path, **changes: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, {**GOOD, **changes})
    return caught.value.problems


def private(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_settings_from_the_environment(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert settings == Settings(
        node_id="nas-2",
        url="http://192.168.1.10:8750",
        token="forge_token",
        state_dir=Path("/var/lib/forge"),
        interval_s=0,
        spool_limit_bytes=256 * 1024 * 1024,
        warnings=(),
    )


def test_flags_win_over_environment_over_dotenv_over_file(tmp_path: Path) -> None:
    file = private(
        tmp_path / "a.toml",
        'NODE_ID = "file"\ncentral_url = "http://file"\nBEARER_TOKEN = "file"\n'
        'FORGE_STATE_DIR = "/file"\nFORGE_INTERVAL_S = 7\n',
    )
    private(tmp_path / ".env", "NODE_ID=dotenv\nCENTRAL_URL=http://dotenv\nBEARER_TOKEN=dotenv\n")
    settings = load(
        flags={"NODE_ID": "flag", "CENTRAL_URL": None},
        environ={"NODE_ID": "env", "CENTRAL_URL": "http://env", "BEARER_TOKEN": ""},
        folder=tmp_path,
        config_file=file,
    )
    assert settings.node_id == "flag"
    assert settings.url == "http://env"
    assert settings.token == "dotenv"  # an empty variable is no setting
    assert (settings.state_dir, settings.interval_s) == (Path("/file"), 7)
    assert settings.warnings == ()


def test_the_usual_places_are_the_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "config" / "forge-fleet").mkdir(parents=True)
    private(tmp_path / "config" / "forge-fleet" / "agent.toml", "FORGE_INTERVAL_S = 9")
    environ = {name: value for name, value in GOOD.items() if name != "FORGE_STATE_DIR"}
    settings = load(flags={}, environ=environ, folder=tmp_path)
    assert settings.interval_s == 9
    assert settings.state_dir == tmp_path / "state" / "forge-fleet" / "agent" / "nas-2"


def test_everything_missing_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, {})
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "NODE_ID",
        "CENTRAL_URL",
        "BEARER_TOKEN",
    ]


def test_a_command_may_do_without_some(tmp_path: Path) -> None:
    settings = load(flags={}, environ={}, folder=tmp_path, config_file=NO_CONFIG, needed=())
    assert (settings.node_id, settings.url, settings.token) == ("", "", "")
    with pytest.raises(SettingsError) as caught:
        load(
            flags={},
            environ={"BEARER_TOKEN": "a b"},
            folder=tmp_path,
            config_file=NO_CONFIG,
            needed=("CENTRAL_URL",),
        )
    # What is given must be right all the same.
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "CENTRAL_URL",
        "BEARER_TOKEN",
    ]


@pytest.mark.parametrize("node_id", ["-a", "a b", "a/b", "x" * 65, "näs"])
def test_a_wrong_node_id_says_what_one_is(tmp_path: Path, node_id: str) -> None:
    (problem,) = problems_with(tmp_path, NODE_ID=node_id)
    assert "begins with a letter or digit" in problem


@pytest.mark.parametrize(
    "url",
    [
        *("192.168.1.10:8750", "ftp://host", "http://", "http://host:port", "http://host:99999"),
        *("http://a b", "http://[::1", "http://host/\x1b", "http://höst"),
        *("http://user:secret@host", "http://host/?a=b", "http://host/#/login"),
    ],
)
def test_a_wrong_url_says_so(tmp_path: Path, url: str) -> None:
    (problem,) = problems_with(tmp_path, CENTRAL_URL=url)
    assert problem.startswith("CENTRAL_URL")
    assert "\x1b" not in problem


@pytest.mark.parametrize(
    "url", ["https://host", "http://[::1]:8750", "http://host/forge/", "HTTP://HOST:1"]
)
def test_urls_that_are_good(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, {**GOOD, "CENTRAL_URL": url}).url == url.rstrip("/")


def test_a_token_with_odd_characters_is_not_shown(tmp_path: Path) -> None:
    (problem,) = problems_with(tmp_path, BEARER_TOKEN="secret\nthing")
    assert "BEARER_TOKEN" in problem
    assert "secret" not in problem


@pytest.mark.parametrize("seconds", ["-1", "1.5", "soon", "86401", "1e3", "²"])
def test_a_wrong_interval_names_the_bounds(tmp_path: Path, seconds: str) -> None:
    (problem,) = problems_with(tmp_path, FORGE_INTERVAL_S=seconds)
    assert "whole number from 0 to 86400" in problem


def test_the_token_is_in_no_repr(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert "forge_token" not in repr(settings) + str(settings) + f"{settings}"


def test_a_token_file(tmp_path: Path) -> None:
    def with_file(path: Path) -> Settings:
        return load(flags={}, environ=GOOD, folder=tmp_path, config_file=NO_CONFIG, token_file=path)

    path = private(tmp_path / "token", "from-the-file\n")
    assert with_file(path).token == "from-the-file"
    for bad, sentence in [(tmp_path / "none", "cannot be read"), (tmp_path / "empty", "is empty")]:
        (tmp_path / "empty").touch(mode=0o600)
        with pytest.raises(SettingsError, match=sentence):
            with_file(bad)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_token_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    dotenv = private(tmp_path / ".env", "BEARER_TOKEN=x")
    file = private(tmp_path / "agent.toml", 'BEARER_TOKEN = "x"')
    token = private(tmp_path / "token", "x")
    for path in (dotenv, file, token):
        path.chmod(0o640)
    settings = load(flags={}, environ=GOOD, folder=tmp_path, config_file=file, token_file=token)
    assert len(settings.warnings) == 3
    assert all("chmod 600" in warning for warning in settings.warnings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("NODE = 'x'", "holds 'NODE', which is no setting"),
        ("NODE_ID = [1]", "holds 'NODE_ID', which is no setting"),
        ("NODE_ID", "cannot be read"),
        (None, "There is no config file"),
    ],
)
def test_a_config_file_that_is_wrong(tmp_path: Path, text: str | None, sentence: str) -> None:
    path = tmp_path / "agent.toml"
    if text is not None:
        private(path, text)
    with pytest.raises(SettingsError, match=sentence):
        load(flags={}, environ=GOOD, folder=tmp_path, config_file=path)


def test_dotenv_as_people_write_it() -> None:
    text = """
    # a comment
    NODE_ID=plain
    export CENTRAL_URL = "http://h:1/#x"  # why
    A='single # kept'
    B=value # comment
    C=a=b
    D=
    nonsense
    """
    assert parse_dotenv(text) == {
        "NODE_ID": "plain",
        "CENTRAL_URL": "http://h:1/#x",
        "A": "single # kept",
        "B": "value",
        "C": "a=b",
        "D": "",
    }


def test_wrong_settings_end_the_command_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    assert cli.main(["run", "--config", os.devnull, "--interval", "often"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("forge-agent: ") for line in lines)


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith("forge-agent ")


def test_files_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    mark = "\ufeff"
    private(tmp_path / ".env", f"{mark}NODE_ID=nas-2")
    settings = load(
        flags={},
        environ={name: GOOD[name] for name in ("CENTRAL_URL", "FORGE_STATE_DIR")},
        folder=tmp_path,
        config_file=private(tmp_path / "a.toml", f"{mark}FORGE_INTERVAL_S = 9"),
        token_file=private(tmp_path / "token", f"{mark}forge_token"),
    )
    assert (settings.node_id, settings.token, settings.interval_s) == ("nas-2", "forge_token", 9)


def test_each_setting_has_one_name() -> None:
    assert len(set(config.SETTINGS)) == len(config.SETTINGS)
