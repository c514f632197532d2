"""Manifests, where they are found, and what they are granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_agent.work import plugins
from forge_agent.work.plugins import Granted, Limits, ManifestError, Needs

GOOD = """
name = "good"
version = "1.4"
title = "A good one"
resource_class = "cpu"
command = ["{python}", "main.py", "--fast"]
verify = ["sh", "verify.sh"]
modules = ["numpy"]
install = "pip install numpy"
payload_schema = "payload.schema.json"
attempts = 5
backoff_s = 0

[limits]
memory_mib = 512
wall_s = 60
cpu_cores = 2

[needs]
env = ["LANG"]
read = ["/srv/data"]
network = true
"""


def folder_with(folder: Path, manifest: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(manifest)
    (folder / "main.py").touch()
    (folder / "verify.sh").touch()
    (folder / "payload.schema.json").write_text('{"type": "object"}')
    return folder


def test_a_manifest_is_read(tmp_path: Path) -> None:
    plugin = plugins.check(folder_with(tmp_path / "good", GOOD))
    assert plugin == plugins.Plugin(
        folder=(tmp_path / "good").resolve(),
        name="good",
        version="1.4",
        title="A good one",
        resource_class="cpu",
        command=("{python}", "main.py", "--fast"),
        verify=("sh", "verify.sh"),
        modules=("numpy",),
        install="pip install numpy",
        payload_schema={"type": "object"},
        attempts=5,
        backoff_s=0,
        limits=Limits(memory_mib=512, wall_s=60, no_progress_s=None, cpu_cores=2),
        needs=Needs(("LANG",), ("/srv/data",), network=True),
    )


def test_what_is_left_out_is_usual(tmp_path: Path) -> None:
    least = 'name = "least"\nversion = "1"\nresource_class = "io"\ncommand = ["sh"]\n'
    plugin = plugins.check(folder_with(tmp_path / "least", least))
    assert (plugin.title, plugin.attempts, plugin.backoff_s) == ("least", 3, 10)
    assert (plugin.verify, plugin.payload_schema) == ((), None)
    assert (plugin.limits, plugin.needs) == (Limits(), Needs())


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('name = "good"', "", "name is missing."),
        ('name = "good"', 'name = "No Good"', "name is 'No Good': it must be lower-case letters"),
        ('version = "1.4"', "version = 1.4", "version must be a line of text."),
        ('version = "1.4"', 'version = "1.4b"', "version is '1.4b': it must be numbers"),
        ('"cpu"', '"gpu"', "resource_class 'gpu' must be one of cpu, io, llm."),
        ('title = "A good one"', 'titel = "A"', "titel is not known."),
        ('["{python}", "main.py", "--fast"]', '"main.py"', "command must be a list of words"),
        ('["{python}", "main.py", "--fast"]', "[]", "command is missing."),
        ("main.py", "other.py", "command: there is no file 'other.py' in the folder."),
        ('["sh", "verify.sh"]', '["./verify"]', "verify: there is no file './verify'"),
        ('["sh", "verify.sh"]', '["/bin/sh", "no.sh"]', "verify: there is no file 'no.sh'"),
        ('["sh", "verify.sh"]', '["bash", "./no", "x"]', "verify: there is no file './no'"),
        ('["numpy"]', '["numpy.linalg"]', "modules holds 'numpy.linalg': name what an import"),
        ('["numpy"]', '"numpy"', "modules must be a list of words"),
        ('"payload.schema.json"', '"no.json"', "payload_schema no.json cannot be read"),
        ('"payload.schema.json"', '"main.py"', "payload_schema main.py is no JSON of use"),
        ("attempts = 5", "attempts = 0", "attempts must be a whole number from 1 to 20."),
        ("attempts = 5", "attempts = true", "attempts must be a whole number"),
        ("memory_mib = 512", "memory_mib = 1", "limits.memory_mib must be a whole number from 16"),
        ("memory_mib = 512", "memory = 1", "limits.memory is not known."),
        ("network = true", 'network = "yes"', "needs.network must be true or false."),
        ('"/srv/data"', '"data"', "needs.read holds 'data': name files and folders from the root"),
        ('"LANG"', '"LD_PRELOAD"', "needs.env holds 'LD_PRELOAD', which no plugin is given."),
        ('"LANG"', '"BEARER_TOKEN"', "needs.env holds 'BEARER_TOKEN', which no plugin is given."),
        ("[limits]", "limits = 3\n[other]", "limits must be a table."),
    ],
)
def test_what_is_wrong_is_said(line: str, instead: str, said: str, tmp_path: Path) -> None:
    assert line in GOOD
    folder = folder_with(tmp_path / "bad", GOOD.replace(line, instead))
    with pytest.raises(ManifestError) as raised:
        plugins.check(folder)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "command", ['["sh", "-c", "no.sh"]', '["sh", "sed"]', '["/bin/sh"]', '["env", "sh", "no.sh"]']
)
def test_a_script_that_may_be_elsewhere_is_not_missed(command: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "good", GOOD.replace('["sh", "verify.sh"]', command))
    assert plugins.check(folder).verify


def test_all_of_it_is_said_at_once(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "bad", "name = 3\nattempts = 99\n")
    with pytest.raises(ManifestError) as raised:
        plugins.check(folder)
    assert len(raised.value.problems) == 5


@pytest.mark.parametrize("content", [b"\xff", b"name = ", b"x" * 70_000])
def test_a_manifest_that_is_none(content: bytes, tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "bad", "")
    (folder / "plugin.toml").write_bytes(content)
    with pytest.raises(ManifestError, match=r"plugin\.toml is no TOML of use"):
        plugins.check(folder)


def test_no_folder_is_no_plugin(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        plugins.check(tmp_path / "nowhere")


def test_a_plugin_that_everybody_may_change_is_refused(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "open", GOOD)
    folder.chmod(0o777)
    with pytest.raises(ManifestError, match="Everybody on this machine may change it"):
        plugins.check(folder)


def test_plugins_are_found_in_folders_and_as_folders(tmp_path: Path) -> None:
    first = folder_with(tmp_path / "first" / "one", GOOD)
    (tmp_path / "first" / "no-plugin").mkdir()
    second = folder_with(tmp_path / "second" / "another", GOOD)
    itself = folder_with(tmp_path / "itself", GOOD.replace('"good"', '"aaa"'))
    bad = folder_with(tmp_path / "second" / "bad", "")
    found = plugins.discover(
        [tmp_path / "nowhere", tmp_path / "first", tmp_path / "second", itself, itself]
    )
    assert [(one.name, one.folder) for one in found.plugins] == [("aaa", itself), ("good", first)]
    told = {problem.folder: problem.sentences for problem in found.problems}
    assert told.keys() == {second, bad}
    assert told[second] == (f"{first} has the name 'good' already.",)


def test_a_link_that_leads_to_itself_hides_no_change_beside_it(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "good", GOOD)
    for place in (tmp_path, folder):
        (place / "loop").symlink_to("loop")
    seen = [plugins.stamp([tmp_path])]
    for name in ("plugin.toml", "main.py", "payload.schema.json"):
        (folder / name).write_text("other")
        seen.append(plugins.stamp([tmp_path]))
    assert len(set(seen)) == 4


def test_what_comes_with_the_agent_is_in_order() -> None:
    found = plugins.discover([plugins.beside_the_program()])
    assert found.problems == ()
    assert "echo" in {plugin.name for plugin in found.plugins}


def test_only_what_is_asked_for_and_granted_is_given(tmp_path: Path) -> None:
    plugin = plugins.check(folder_with(tmp_path / "good", GOOD))
    environ = {"LANG": "de", "OTHER": "x"}
    assert plugins.asked(plugin) == ("network", "env:LANG", "read:/srv/data")
    assert plugins.refused(plugin, ["env:LANG"]) == ("network", "read:/srv/data")
    assert plugins.granted(plugin, [], environ) == plugins.NOTHING_GRANTED
    everything = ["network", "env:LANG", "env:OTHER", "read:/srv/data", "read:/"]
    assert plugins.granted(plugin, everything, environ) == Granted(
        {"LANG": "de"}, (Path("/srv/data"),), network=True
    )
    assert plugins.granted(plugin, everything, {}).env == {}


@pytest.mark.parametrize(
    ("what", "is_one"),
    [
        *((good, True) for good in ("network", "env:LANG", "read:/srv")),
        *(
            (bad, False)
            for bad in ("", "net", "network:x", "env:", "env:HOME", "env:a b", "read:x")
        ),
    ],
)
def test_grants_are_known_by_their_form(what: str, *, is_one: bool) -> None:
    assert plugins.is_grant(what) is is_one
