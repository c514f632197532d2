/** The one line for each platform, and who has come with it so far. */

import { useEffect, useRef, useState } from "preact/hooks";
import { invites, release } from "../../api";
import { now } from "../../clock";
import { exactMoment, moment } from "../../format/time";
import { nodeAddress } from "../../route";
import { fleet } from "../../stream/client";
import { CopyBlock } from "../../ui/copy";
import { useLoaded } from "../../ui/load";
import type { Invite, MintedInvite, Release } from "../../wire/messages";
import { arrivals, withNews, type Joined } from "./arrivals";
import { isLoopback, LISTEN_TO_OTHERS, platformOf, steps, type Platform } from "./instructions";
import { archivesFor, codeOf, fetchAndJoin, grouped, joinOnly, processorName } from "./lines";
import { PlatformTabs, tabId } from "./platform-tabs";

const PANEL = "join-line";
const ASK_AGAIN_MS = 2000;

interface JoinWithProps {
  readonly minted: MintedInvite;
  readonly onClose: () => void;
  readonly onAnother: () => void;
}

export function JoinWith({ minted, onClose, onAnother }: JoinWithProps) {
  const { invite, joined } = useInvite(minted.invite);
  return (
    <>
      <Terms invite={invite} />
      {invite.status !== "used_up" && <HowToJoin minted={minted} />}
      <Arrivals invite={invite} joined={joined} onClose={onClose} onAnother={onAnother} />
    </>
  );
}

function HowToJoin({ minted }: { readonly minted: MintedInvite }) {
  const [platform, setPlatform] = useState<Platform>(() => platformOf(navigator.userAgent));
  const [served] = useLoaded(release);
  return (
    <>
      {isLoopback(minted.url) && (
        <p class="caution">
          This collector listens on its own machine alone, so no other can join. Start it with{" "}
          <code>{LISTEN_TO_OTHERS}</code>, then make another invite.
        </p>
      )}
      <PlatformTabs platform={platform} onChange={setPlatform} panel={PANEL} />
      <div id={PANEL} role="tabpanel" class="join-panel" aria-labelledby={tabId(PANEL, platform)}>
        {served.state === "loading" ? (
          <p class="loading">Loading…</p>
        ) : (
          <Line
            // A processor that was chosen for one platform is none of another's.
            key={platform}
            platform={platform}
            minted={minted}
            release={served.state === "ready" ? served.value : null}
          />
        )}
      </div>
      <Fingerprint minted={minted} />
    </>
  );
}

function Terms({ invite }: { readonly invite: Invite }) {
  const notice = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    // What had the focus may have gone with a line that is used up.
    if (document.activeElement === document.body) notice.current?.focus();
  }, [invite.status]);
  const machines = invite.uses === 1 ? "one machine" : `${invite.uses} machines`;
  const whom =
    invite.node_id !== null
      ? `one machine, which becomes ${invite.node_id}`
      : invite.used > 0
        ? `${invite.uses - invite.used} more of ${machines}`
        : machines;
  return (
    <p
      class="notice"
      ref={notice}
      data-first-focus
      tabIndex={-1}
      title={`until ${exactMoment(invite.expires_at)}`}
    >
      {invite.status === "used_up" ? (
        <>
          <strong>This line is used up.</strong> It was good for {machines}, and lets no other in.
        </>
      ) : (
        <>
          <strong>This line is shown once.</strong>{" "}
          {invite.status === "revoked"
            ? "It was revoked."
            : invite.expires_at > now.value
              ? `It is good for ${whom} until ${moment(invite.expires_at, now.value)}, also when this window is closed.`
              : "It has expired."}
        </>
      )}
    </p>
  );
}

interface LineProps {
  readonly platform: Platform;
  readonly minted: MintedInvite;
  readonly release: Release | null;
}

function Line({ platform, minted, release: served }: LineProps) {
  const archives = archivesFor(served, platform);
  const [chosen, setChosen] = useState(0);
  const archive = archives[chosen];
  if (archive === undefined) return <WithoutArchive platform={platform} minted={minted} />;
  const line = fetchAndJoin(platform, minted, archive);
  return (
    <>
      <div class="join-head">
        <h3>
          {platform === "windows"
            ? "Paste this line into PowerShell, started as administrator"
            : "Paste this line into a terminal"}
        </h3>
        {archives.length > 1 && (
          <label class="select">
            <span class="unseen">Processor</span>
            <select
              value={chosen}
              onChange={(event) => {
                setChosen(Number(event.currentTarget.value));
              }}
            >
              {archives.map((one, index) => (
                <option key={one.name} value={index}>
                  {processorName(one)}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <TheLine text={line} />
      <p class="hint">
        It fetches agent {served?.version} from this collector, goes on only if the checksum in the
        line fits{minted.ca_fingerprint !== null && " (so it asks for no certificate: -k)"}, joins,
        and installs the service.
      </p>
      <details>
        <summary>forge-agent is installed there already</summary>
        <TheLine text={joinOnly(platform, "forge-agent", minted)} />
      </details>
      <WithoutRights platform={platform} sudo="$(… sudo)" />
    </>
  );
}

/** The collector has no program for this platform: the agent comes from its sources. */
function WithoutArchive({ platform, minted }: Omit<LineProps, "release">) {
  const { install } = steps(platform);
  const program = platform === "windows" ? ".venv\\Scripts\\forge-agent" : ".venv/bin/forge-agent";
  return (
    <>
      <h3>Where forge-agent is installed, paste this line</h3>
      <TheLine text={joinOnly(platform, "forge-agent", minted)} />
      <details>
        <summary>It is not installed there yet</summary>
        <p class="hint">
          This collector has no agent for that system to hand out. It gets one with{" "}
          <code>scripts/build-agent --out data/releases</code>, run on a machine of that kind. From
          the sources it goes like this:
        </p>
        <ol class="steps">
          <li>
            <h3>{install.title}</h3>
            <CopyBlock text={install.text} what={`the commands: ${install.title}`} />
            {install.note && <p class="hint">{install.note}</p>}
          </li>
          <li>
            <h3>Join</h3>
            <CopyBlock wraps text={joinOnly(platform, program, minted)} what="the line" />
          </li>
        </ol>
      </details>
      <WithoutRights platform={platform} sudo="sudo" />
    </>
  );
}

function TheLine({ text }: { readonly text: string }) {
  return (
    <div data-testid="join-line">
      <CopyBlock wraps text={text} what="the line" />
    </div>
  );
}

interface WithoutRightsProps {
  readonly platform: Platform;
  /** What asks for the rights in the line. */
  readonly sudo: string;
}

function WithoutRights({ platform, sudo }: WithoutRightsProps) {
  return (
    <p class="hint">
      Without administrator’s rights there:{" "}
      {platform !== "windows" && (
        <>
          leave <code>{sudo}</code> out, and{" "}
        </>
      )}
      put <code>--user</code> behind <code>--install</code>.
    </p>
  );
}

function Fingerprint({ minted }: { readonly minted: MintedInvite }) {
  const { url, ca_fingerprint: fingerprint } = minted;
  return (
    <details class="fingerprint">
      <summary>
        It joins <bdi>{url}</bdi>
      </summary>
      {fingerprint !== null ? (
        <>
          <p class="hint">
            The machine takes no other collector for this one: the line holds its fingerprint, to
            compare with what the agent says, or with what <code>--discover</code> finds.
          </p>
          <code class="fingerprint-digits">{grouped(fingerprint)}</code>
          <p class="hint">
            The code alone, for <code>forge-agent join --discover</code> on the same network:
          </p>
          <code class="fingerprint-digits">{codeOf(minted.join_string)}</code>
        </>
      ) : url.startsWith("https:") ? (
        <p class="hint">Its certificate is checked by what that machine trusts.</p>
      ) : (
        <p class="hint">
          Without TLS: whoever is on the way can read along. Start the collector with{" "}
          <code>--tls auto</code> unless you trust that network.
        </p>
      )}
    </details>
  );
}

interface ArrivalsProps {
  readonly invite: Invite;
  readonly joined: Joined;
  readonly onClose: () => void;
  readonly onAnother: () => void;
}

const SHOWN = 8;

function Arrivals({ invite, joined, onClose, onAnother }: ArrivalsProps) {
  const came = arrivals(joined, fleet.value, now.value);
  const last = came[came.length - 1];
  const all = came.length >= invite.uses && came.every(({ here }) => here);
  const ended = !all && invite.status !== "open" && invite.status !== "used_up";
  const expired = !all && invite.expires_at <= now.value;
  return (
    <div class={all ? "arrival arrival-here" : "arrival"}>
      <div role="status" aria-live="polite">
        {came.slice(-SHOWN).map(({ id, here, silent }) => (
          <p key={id}>
            {here ? (
              <strong>
                <bdi>{id}</bdi> is here ✓
              </strong>
            ) : (
              <>
                <span class="waiting-dot" aria-hidden="true" /> <bdi>{id}</bdi>{" "}
                {silent ? (
                  <>
                    has joined. No figures yet. On that machine, <code>forge-agent doctor</code>{" "}
                    says why.
                  </>
                ) : (
                  "has joined; its first figures are on their way…"
                )}
              </>
            )}
          </p>
        ))}
        {came.length === 0 && !ended && !expired && (
          <p>
            <span class="waiting-dot" aria-hidden="true" /> Waiting for{" "}
            {invite.uses === 1 ? "the machine" : "machines"}…
          </p>
        )}
        {invite.uses > 1 && (
          <p class="hint">
            {invite.used} of {invite.uses} have joined
          </p>
        )}
        {(ended || expired) && (
          <p>
            {invite.status === "revoked" ? "The invite was revoked." : "The invite has expired."}
          </p>
        )}
      </div>
      {(ended || expired) && (
        <button type="button" class="button" onClick={onAnother}>
          Make another
        </button>
      )}
      {all && last && (
        <a class="button button-primary" href={nodeAddress(last.id)} onClick={onClose}>
          Open {last.id}
        </a>
      )}
    </div>
  );
}

/** The invite as it is now, and who joined with it, while somebody looks. */
function useInvite(minted: Invite): { readonly invite: Invite; readonly joined: Joined } {
  const [known, setKnown] = useState({ invite: minted, joined: new Map() as Joined });
  const isOver = known.invite.status !== "open";
  useEffect(() => {
    if (isOver) return;
    const ask = () => {
      invites().then(
        (all) => {
          const invite = all.find(({ id }) => id === minted.id);
          if (!invite) return;
          setKnown(({ joined }) => ({
            invite,
            joined: withNews(joined, invite, fleet.peek(), now.peek()),
          }));
        },
        () => undefined, // the connection's own banner says so; the next time may do
      );
    };
    const timer = setInterval(ask, ASK_AGAIN_MS);
    return () => {
      clearInterval(timer);
    };
  }, [minted.id, isOver]);
  return known;
}
