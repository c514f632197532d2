"""`forge-agent work`: the owner's switch for doing jobs on this machine."""

from __future__ import annotations

import argparse
import json
import os
import re
from pathlib import Path
from typing import Any, Final

from forge_agent import noted as agents_noted
from forge_agent import private_files, whereabouts
from forge_agent.core import owner_policy
from forge_agent.core.owner_policy import FOR_GOOD_MS, Terms, When
from forge_agent.core.untrusted import printable
from forge_agent.log import NEUTRAL
from forge_agent.terminal import complain, say
from forge_agent.whereabouts import Whereabouts
from forge_agent.work import (
    clock,
    confinement,
    noted,
    owner,
    plugins,
    programs,
    suggested,
    withheld,
)
from forge_agent.work.owner import Owner
from forge_agent.work.plugin_command import looked_in

_DURATION: Final = re.compile(r"([1-9]\d{0,4})([mhd])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440}
_LONGEST_REASON: Final = 4096  # a command that was cut is no use
# Options that say under what terms; without one a word alone changes nothing else.
_TERMS: Final = (
    "when",
    "on_battery",
    "cpu_of_others",
    "free_memory",
    "hours",
    "slots",
    "grant",
    "revoke",
    "trust_plugins",
)


class _WrongUseError(Exception):
    """The command line makes no sense; the message says what would."""


def main(given: argparse.Namespace) -> int:
    """Do what was asked; return the exit code: 0 done, 1 cannot, 2 wrong use."""
    try:
        _check(given)
        where = whereabouts.here(given.config, given.state_dir)
        folder = _folder(where)
        if given.do == "status":
            return _status(given, where, folder)
        before = _read(folder)
        after = _changed(before, given, folder)
        missing = confinement.missing() if given.do == "on" and not after.trust_plugins else ""
        if missing:
            complain(f"{missing}. To work all the same: add --trust-plugins.")
            return 1
        private_files.make_folder(folder, for_user=True)
        owner.write(folder, after)
    except (_WrongUseError, owner.UnreadableError) as error:
        complain(str(error))
        return 2
    except BrokenPipeError:
        raise  # nobody reads what is said
    except PermissionError as error:
        complain(f"{error.filename} is closed to you: {_with_rights(given)}")
        return 1
    except OSError as error:
        complain(f"{error.filename or folder}: {error.strerror}")
        return 1
    _tell(given, after, where, folder)
    return 0


def _check(given: argparse.Namespace) -> None:
    used = [name for name in _TERMS if getattr(given, name)]
    if used and given.do != "on":
        option = f"--{used[0].replace('_', '-')}"
        raise _WrongUseError(f"{option} goes with `forge-agent work on`.")
    if given.duration is not None and given.do != "pause":
        raise _WrongUseError("a duration goes with `forge-agent work pause`.")
    if given.json and given.do != "status":
        raise _WrongUseError("--json goes with `forge-agent work status`.")


def _folder(where: Whereabouts) -> Path:
    if where.state_dir is None:
        raise _WrongUseError(
            "there is no agent here: join first, or name its folder with --state-dir."
        )
    return where.state_dir


def _read(folder: Path) -> Owner:
    try:
        return owner.read(folder)
    except owner.UnreadableError:
        return Owner()  # written anew


def _changed(before: Owner, given: argparse.Namespace, folder: Path) -> Owner:
    """Return what the owner allows from now on; raises _WrongUseError."""
    terms = before.terms
    match given.do:
        case "off":
            return before._replace(enabled=False)
        case "pause":
            return before._replace(terms=terms._replace(paused_until=_end_of(given.duration)))
        case "resume":
            return before._replace(terms=terms._replace(paused_until=None))
    try:
        return before._replace(
            enabled=True,
            terms=_terms(terms, given),
            slots=owner.slots_of(given.slots) if given.slots else before.slots,
            trust_plugins=before.trust_plugins or given.trust_plugins,
            grants=_granted(before, given.grant or [], given.revoke or [], folder),
        )
    except ValueError as error:
        raise _WrongUseError(f"{error}.") from None


def _terms(terms: Terms, given: argparse.Namespace) -> Terms:
    """Return the terms with what was given in place of what was; raises ValueError."""
    if given.when:
        terms = terms._replace(when=When(given.when))
    if given.on_battery:
        terms = terms._replace(on_battery=given.on_battery == "yes")
    if given.cpu_of_others:
        terms = terms._replace(cpu_of_others_pct=_whole(given.cpu_of_others, 100))
    if given.free_memory:
        terms = terms._replace(free_memory_mib=_whole(given.free_memory, 2**30))
    if given.hours:
        hours = None if given.hours == "any" else owner.hours_of(given.hours)
        if hours is not None and hours.begin_min == hours.end_min:
            raise ValueError(f"{given.hours} is no time at all: for all day say --hours any")
        terms = terms._replace(hours=hours)
    return terms._replace(paused_until=None)


def _granted(
    before: Owner, grants: list[str], revoked: list[str], folder: Path
) -> dict[str, list[str]]:
    """Return what is granted from now on; raises ValueError."""
    granted = {name: list(before.grants[name]) for name in before.grants}
    for text in grants:
        name, _, what = text.partition(":")
        if not name or not plugins.is_grant(what):
            raise ValueError(
                f"{text!r} is no grant: give it as PLUGIN:network, PLUGIN:env:NAME or"
                " PLUGIN:read:/PATH"
            )
        kind, _, path = what.partition(":")
        if kind == "read" and (refused := withheld.refused([Path(path)], folder)):
            raise ValueError(refused)
        if what not in granted.setdefault(name, []):
            granted[name].append(what)
    for text in revoked:
        name, _, what = text.partition(":")
        granted[name] = [one for one in granted.get(name, []) if what and one != what]
    return {name: granted[name] for name in granted if granted[name]}


def _whole(text: str, most: int) -> int:
    if not text.isdecimal() or int(text) > most:
        raise ValueError(f"{text!r} is no whole number up to {most}")
    return int(text)


def _end_of(duration: str | None) -> int:
    if duration is None:
        return FOR_GOOD_MS
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise _WrongUseError(f"{duration!r} is no duration: give it as 30m, 2h or 1d.")
    return clock.wall_ms() + int(found.group(1)) * _MINUTES[found.group(2)] * 60_000


def _tell(given: argparse.Namespace, after: Owner, where: Whereabouts, folder: Path) -> None:
    setting = where.settings is not None and where.settings.work
    is_on = setting if after.enabled is None else after.enabled
    if given.do in {"pause", "resume"} and not is_on:
        say(f"{NEUTRAL} work is off: `{suggested.command('work on', given)}` turns it on")
        return
    match given.do:
        case "off":
            say("✓ work is off; jobs that ran here go on elsewhere")
        case "pause":
            say("✓ paused; jobs that ran here go on elsewhere")
        case _:
            say("✓ work is on")
    for line in told_terms(after):
        say(f"  {line}")
    for word in _granted_in_vain(given, where, folder):
        say(f"! {printable(word, _LONGEST_REASON)}")
    if given.do in {"on", "resume"} and not agents_noted.is_running(folder):
        say(f"{NEUTRAL} It begins once the agent runs: {suggested.starting(given)}.")


def _granted_in_vain(given: argparse.Namespace, where: Whereabouts, folder: Path) -> list[str]:
    """Say which plugins were just granted something and are not here: they may come yet; and which
    cannot use it."""
    if not given.grant:
        return []
    found = {one.name: one for one in plugins.discover(looked_in(given, where)).plugins}
    said = []
    for name in sorted({grant.partition(":")[0] for grant in given.grant}):
        if name not in found:
            said.append(f"there is no plugin {name} here now")
        elif not programs.lacking(found[name]) and (why := withheld.closed(found[name], folder)):
            said.append(f"{name} takes no jobs: {why}")
    return said


# --- status -------------------------------------------------------------------------------------


def _status(given: argparse.Namespace, where: Whereabouts, folder: Path) -> int:
    """Print what is allowed and what is done; return 0 when work is on."""
    allowed = owner.read(folder)
    work = noted.look(folder, setting=where.settings is not None and where.settings.work)
    if given.json:
        print(json.dumps(_as_json(work, allowed)))  # noqa: T201
        return 0 if work.enabled else 1
    paused = owner_policy.pause(allowed.terms, clock.wall_ms())
    on = f"{NEUTRAL} on, {paused}" if paused else "✓ on"
    off = f"{NEUTRAL} off: `{suggested.command('work on', given)}`"
    say(f"work        {on if work.enabled else off}")
    if work.enabled:
        for line in told_terms(allowed):
            say(f"allowed     {line}")
    if work.worker is not None:
        for line in told(work.worker, given, taken_up=work.taken_up):
            say(line)
    elif work.enabled:
        runs = agents_noted.is_running(folder)
        say(f"worker      {NEUTRAL} does not run{' yet: the agent starts it' if runs else ''}")
    return 0 if work.enabled else 1


def _as_json(work: noted.Work, allowed: Owner) -> dict[str, Any]:
    return {
        "enabled": work.enabled,
        "allowed": owner.as_json(allowed),
        "taken_up": work.taken_up,
        "worker": None if work.worker is None else work.worker._asdict(),
    }


def told_terms(allowed: Owner) -> list[str]:
    """Return what the owner allows, a line a subject."""
    terms = allowed.terms
    when = "whatever others do"
    if terms.when is When.IDLE:
        when = (
            f"while nobody uses this machine, and others at most {terms.cpu_of_others_pct} % of its"
            " CPU"
        )
    if terms.hours is not None:
        when += f", {terms.hours}"
    battery = "on battery too" if terms.on_battery else "not on battery"
    slots = ", ".join(f"{count} {name}" for name, count in allowed.slots.items())
    lines = [
        when,
        f"{battery}; with {terms.free_memory_mib} MiB of memory free",
        f"at a time: {slots}",
    ]
    if allowed.trust_plugins:
        lines.append("plugins are trusted with what the agent may read")
    lines += [
        f"granted to {printable(name)}: {printable(', '.join(granted))}"
        for name, granted in allowed.grants.items()
    ]
    return lines


def told(note: noted.Note, given: argparse.Namespace, *, taken_up: bool) -> list[str]:
    """Return what the worker does, a line a subject. ``taken_up``: it has heard the owner's last
    word."""
    reason = f": {printable(note.reason, _LONGEST_REASON)}" if note.reason else ""
    mark = "✓" if note.state == "ready" and taken_up else NEUTRAL
    so_far = "" if taken_up else "has not taken up yet what you said last; so far "
    lines = [f"worker      {mark} {so_far}{printable(note.state)}{reason}, pid {note.pid}"]
    none = f"none: see `{suggested.command('plugins list', given)}`"
    lines.append(f"plugins     {printable(', '.join(note.plugins)) or none}")
    lines += [
        f"            {NEUTRAL} not {printable(name)}: {printable(str(reason), _LONGEST_REASON)}"
        for name, reason in note.unavailable.items()
    ]
    for job in note.jobs:
        fraction = job.get("fraction")
        far = f", {fraction:.0%}" if isinstance(fraction, float) else ""
        job_type, job_id = (printable(str(job.get(name))) for name in ("type", "id"))
        lines.append(f"job         {job_type} {job_id}{far}")
    if not note.jobs:
        lines.append(f"job         {NEUTRAL} none")
    if note.results_waiting:
        lines.append(f"results     {note.results_waiting} wait to be told")
    return lines


def _with_rights(given: argparse.Namespace) -> str:
    again = suggested.command(f"work {given.do}", given)
    return f"sudo {again}." if os.name == "posix" else f"run {again} as an administrator."
