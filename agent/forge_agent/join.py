"""`forge-agent join`: this machine becomes part of a fleet.

The agent makes its token itself and notes it beside its settings before it claims it; the
collector learns the token's hash, and answers the same claim the same way again. So whatever is cut
off in the middle, the same line once more ends as if nothing had been.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from forge_agent import authority, config, places, private_files, settings_file
from forge_agent.core import joining as rules
from forge_agent.core.joining import Pending
from forge_agent.lock import FileLock, LockedError
from forge_agent.settings_file import SettingsText
from forge_agent.terminal import complain, say
from forge_agent.transport import Connection, TransportError
from forge_shared import __version__, identity, joining, names
from forge_shared.joining import JoinString

_NAMES_JOINED: Final = (
    config.NODE_ID,
    config.CENTRAL_URL,
    config.BEARER_TOKEN,
    config.CA_FILE,
)
_USER_AGENT: Final = f"forge-agent/{__version__}"
_LONGEST_INPUT: Final = 4096


class JoinError(Exception):
    """This machine did not join; the message says why and what to do."""

    def __init__(self, why: str, *, exit_code: int = 1) -> None:
        super().__init__(why)
        self.exit_code = exit_code


class Wanted(NamedTuple):
    """The collector to join: ``string.url`` first, then ``addresses()``, which may take seconds."""

    string: JoinString
    addresses: Callable[[], tuple[str, ...]]


class Files(NamedTuple):
    """``settings``: what the agent runs with. ``pending``: there while a join is unfinished."""

    settings: Path
    pending: Path
    lock: Path


def main(given: argparse.Namespace) -> int:
    """Join; return the exit code: 0 joined, 1 could not, 2 wrong use."""
    try:
        _check_use(given)
        if given.string is None:
            from forge_agent import finding  # noqa: PLC0415

            return finding.show()
        _join(given)
    except JoinError as error:
        complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        print(file=sys.stderr)  # noqa: T201  off the line with ^C
        complain("stopped; the same line goes on where it was.")
        return 1
    if not given.install:
        return 0
    from forge_agent.service import command  # noqa: PLC0415

    return command.install_joined(argparse.Namespace(user=given.user, config=given.config))


def _check_use(given: argparse.Namespace) -> None:
    if given.string is None and not given.discover:
        raise JoinError(
            "Give the join string, which the collector's page shows under Add a machine; or look"
            " for collectors with --discover.",
            exit_code=2,
        )
    if given.fingerprint is not None and (given.string is None or not given.discover):
        raise JoinError("--fingerprint goes with --discover and a code.", exit_code=2)
    if given.node_id is not None and not names.is_node_id(given.node_id):
        raise JoinError(
            f"--node-id {given.node_id!r} cannot be used: {names.NODE_ID_HELP}.", exit_code=2
        )
    if given.install and not given.user and not places.may_use_the_machines():
        raise JoinError(
            "To install the service for the whole machine, run this line as root (sudo) or as an"
            " administrator; or for you alone, with --user. Nothing was changed."
        )


def _join(given: argparse.Namespace) -> None:
    for_user = given.user or not places.may_use_the_machines()
    usual = places.user() if for_user else places.machine()
    settings = (given.config or usual.config_file).absolute()
    files = Files(
        settings,
        settings.with_name(f"{settings.name}.joining"),
        settings.with_name(f"{settings.name}.lock"),
    )
    wanted = _wanted(given)
    with _alone(files, for_user=for_user):
        try:
            before = settings_file.read(files.settings)
        except settings_file.UnreadableError as error:
            raise JoinError(
                f"{files.settings} cannot be read ({error}): repair it, or move it away."
            ) from None
        try:
            if not _is_member(wanted, before, files, replace=given.replace):
                _become_member(wanted, before, files, given.node_id)
        except OSError as error:
            raise JoinError(
                f"{error.filename or files.settings} cannot be written"
                f" ({error.strerror or error}): make room, or choose another place with --config."
                " The same line goes on where it was."
            ) from None
    _warn_of_other_settings()
    if not given.install:
        say(_next_steps(given, for_user=for_user))


def _wanted(given: argparse.Namespace) -> Wanted:
    """Read the join string, or find the collector that a bare code is for."""
    text = given.string
    if text == "-":
        text = sys.stdin.read(_LONGEST_INPUT)
    code = "".join(text.split()).replace("-", "").lower()
    if joining.is_code(code):
        if not given.discover:
            raise JoinError(
                "This is a code alone: add --discover to look for its collector on this network,"
                " or use the whole join string.",
                exit_code=2,
            )
        from forge_agent import finding  # noqa: PLC0415

        try:
            chosen = finding.choose(given.fingerprint)
        except finding.NotChosenError as error:
            raise JoinError(str(error), exit_code=error.exit_code) from None
        first, *others = chosen.urls
        return Wanted(JoinString(first, chosen.fingerprint, code), lambda: tuple(others))
    try:
        string = joining.parse(text)
    except joining.JoinStringError as error:
        raise JoinError(str(error), exit_code=2) from None
    if given.fingerprint is not None:
        raise JoinError(
            "A join string holds the fingerprint: leave --fingerprint out.", exit_code=2
        )
    string = string._replace(url=string.url.rstrip("/"))
    return Wanted(string, lambda: _announced(string) if given.discover else ())


def _announced(string: JoinString) -> tuple[str, ...]:
    if string.ca_fingerprint is None:
        return ()
    from forge_agent import finding  # noqa: PLC0415

    say("It cannot be reached there; looking for it on this network …")
    return finding.addresses_of(string.ca_fingerprint)


@contextmanager
def _alone(files: Files, *, for_user: bool) -> Iterator[None]:
    """Keep other joins of this machine out meanwhile."""
    try:
        private_files.make_folder(files.settings.parent, for_user=for_user)
        lock = FileLock(files.lock)
    except LockedError:
        raise JoinError(
            "This machine is being joined by another process already: wait for it."
        ) from None
    except OSError as error:
        raise JoinError(
            f"{files.settings.parent} cannot be written ({error.strerror}): run this with the"
            " rights to, or choose another place with --config."
        ) from None
    try:
        yield
    finally:
        lock.release()


# --- who is a member already --------------------------------------------------------------------


def _is_member(wanted: Wanted, before: SettingsText, files: Files, *, replace: bool) -> bool:
    """Tell whether this machine belongs to that collector already, and is let in; raises JoinError
    when it belongs to another."""
    node_id, token = before.get(config.NODE_ID), before.get(config.BEARER_TOKEN)
    url = before.get(config.CENTRAL_URL)
    if not (node_id and token and url):
        return False
    if replace and before.invite_id != identity.code_id(wanted.string.code):
        return False
    ca_file = before.get(config.CA_FILE)
    string = wanted.string
    fingerprint = None
    # A string without a fingerprint goes by the address, whatever authority the owner has named.
    if ca_file and string.ca_fingerprint is not None:
        fingerprint = authority.fingerprint_of(Path(ca_file))
    if rules.collector_of(url, fingerprint) != rules.collector_of(
        string.url, string.ca_fingerprint
    ):
        raise JoinError(
            f"This machine is {node_id} at {url}, as {files.settings} says. To leave that"
            " collector for this one, add --replace."
        )
    status, reason = _token_status(url, token, Path(ca_file) if ca_file else None)
    if status == 401:
        say(f"This machine was {node_id} at {url}, which does not know its token any more.")
        return False
    private_files.remove(files.pending)
    if status == 200:
        say(f"This machine is in that fleet already: {node_id} at {url}.")
        say("If it is a copy of that machine, add --replace: it then joins as one of its own.")
        return True
    say(f"This machine is in that fleet already: {node_id} at {url}, which is silent: {reason}.")
    if string.ca_fingerprint is not None:
        _move(wanted, before, files)
    return True


def _token_status(url: str, token: str, ca_file: Path | None) -> tuple[int, str]:
    """Ask the collector whether it takes the token; 0 with a reason when it cannot be asked."""
    try:
        with closing(Connection(url, ca_file=ca_file)) as connection:
            headers = {"Authorization": f"Bearer {token}", "User-Agent": _USER_AGENT}
            status = connection.get("/api/whoami", headers).status
    except TransportError as error:
        anew = " (to join it anew all the same, add --replace)" if error.untrusted else ""
        return 0, f"{error}{anew}"
    return status, f"it answers {status}"


def _move(wanted: Wanted, before: SettingsText, files: Files) -> None:
    """Follow the same collector to another address, if it proves there that it is the same."""
    url = before.get(config.CENTRAL_URL)
    try:
        moved, ca_file = _settled(wanted, files.settings.parent, but=url)
    except JoinError as error:
        say(f"Nothing was changed. {error}")
        return
    address = {config.CENTRAL_URL: moved, config.CA_FILE: str(ca_file)}
    settings_file.write(files.settings, before, address, before.invite_id)
    say(f"Its address is {moved} from now on.")


# --- becoming one -------------------------------------------------------------------------------


def _become_member(wanted: Wanted, before: SettingsText, files: Files, node_id: str | None) -> None:
    string = wanted.string
    url, ca_file = string.url, _given_authority(before, files)
    if string.ca_fingerprint is not None:
        url, ca_file = _settled(wanted, files.settings.parent)
        say(f"The collector at {url} has proved that it is the one:")
        say(f"  {joining.grouped(string.ca_fingerprint)}")
    elif url.startswith("http:"):
        say(
            f"{url} is not protected by TLS: whoever is in between can read and change what"
            " this machine sends, the code among it."
        )
    pending = _pending(files, rules.collector_of(string.url, string.ca_fingerprint))
    claimed = _claim(url, ca_file, rules.claim(string, pending.token, _hostname(), node_id))
    if isinstance(claimed, rules.Refused):
        if claimed.token_is_free:
            private_files.remove(files.pending)
        raise JoinError(f"{url} does not let this machine in. {claimed.why}")
    joined = {
        config.NODE_ID: claimed.node_id,
        config.CENTRAL_URL: url,
        config.BEARER_TOKEN: pending.token,
        config.CA_FILE: None if ca_file is None else str(ca_file),
    }
    settings_file.write(files.settings, before, joined, identity.code_id(string.code))
    private_files.remove(files.pending)
    say(f"Joined: this machine is {claimed.node_id} at {url}.")
    if node_id is not None and claimed.node_id != node_id:
        say(f"It had joined as that before it was asked to be {node_id}.")
    say(f"Its settings are in {files.settings}.")


def _pending(files: Files, collector: str) -> Pending:
    """Return the token to claim with, which is on disk: the one that was made for this collector
    before, whatever became of its claim, or a new one."""
    left = settings_file.read_pending(files.pending)
    if left is not None and left.collector == collector:
        return left
    minted = Pending(collector, str(identity.mint("forge", int(time.time() * 1000))))
    settings_file.write_pending(files.pending, minted)
    return minted


def _settled(wanted: Wanted, folder: Path, *, but: str = "") -> tuple[str, Path]:
    """Return the first address at which the collector proves to be the one that is meant, and the
    file with its authority; raises JoinError that tells about the first address."""
    fingerprint = wanted.string.ca_fingerprint
    if fingerprint is None:
        raise TypeError(wanted)
    first: JoinError | None = None
    for url in _each(wanted):
        if url == but:
            continue
        try:
            return url, authority.settle(url, fingerprint, folder)
        except authority.UnreachableError as error:
            failed = JoinError(_unreachable(url, error))
        except authority.UntrustedError as error:
            failed = JoinError(str(error))
        first = first or failed
    raise first or JoinError("There is no other address to try.")


def _each(wanted: Wanted) -> Iterator[str]:
    yield wanted.string.url
    yield from (url for url in wanted.addresses() if url != wanted.string.url)


def _claim(url: str, ca_file: Path | None, body: bytes) -> rules.Claimed | rules.Refused:
    headers = {"Content-Type": "application/json", "User-Agent": _USER_AGENT}
    try:
        with closing(Connection(url, ca_file=ca_file)) as connection:
            reply = connection.post("/api/join", body, headers)
    except TransportError as error:
        why = authority.unproved(url, error) if error.untrusted else _unreachable(url, error)
        raise JoinError(why) from None
    return rules.judge(reply.status, reply.body, reply.location)


def _unreachable(url: str, reason: Exception) -> str:
    return (
        f"{url} cannot be reached: {reason}. Check that the collector runs and that this machine"
        " is on its network, then try the same line again."
    )


def _given_authority(before: SettingsText, files: Files) -> Path | None:
    """Return the authority that the owner named for a collector with a certificate of theirs."""
    named = os.environ.get(config.CA_FILE, "").strip()
    if not named and (kept := before.get(config.CA_FILE)):
        # What an earlier join kept is another collector's own.
        joined_before = bool(before.invite_id)
        if not (joined_before and authority.is_kept(Path(kept), files.settings.parent)):
            named = kept
    return Path(named).absolute() if named else None


def _hostname() -> str:
    return socket.gethostname()


# --- what is said -------------------------------------------------------------------------------


def _warn_of_other_settings() -> None:
    """Say which settings would win over those that joining wrote."""
    dotenv = Path(".env")
    try:
        in_dotenv = config.parse_dotenv(dotenv.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        in_dotenv = {}
    for where, found in (("the environment", os.environ), (str(dotenv.absolute()), in_dotenv)):
        winning = [name for name in _NAMES_JOINED if found.get(name, "").strip()]
        if winning:
            complain(
                f"warning: {where} sets {', '.join(winning)}, which wins over what was joined:"
                " remove it there."
            )


def _next_steps(given: argparse.Namespace, *, for_user: bool) -> str:
    options = f" --config {given.config}" if given.config is not None else ""
    install = f"forge-agent install{' --user' if for_user else ''}{options}"
    return (
        f"Next: `{install}` runs the agent at each start of this machine;\n"
        f"      `forge-agent run{options}` runs it now, until Ctrl-C."
    )
