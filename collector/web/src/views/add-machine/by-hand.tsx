/** The way without join strings: a token, three settings, and waiting until the machine is here. */

import { useEffect, useRef, useState } from "preact/hooks";
import { hasOwnAuthority, mintToken } from "../../api";
import { nodeAddress } from "../../route";
import { fleet } from "../../stream/client";
import { Failure, useAction } from "../../ui/action";
import { CopyBlock } from "../../ui/copy";
import { useLoaded } from "../../ui/load";
import { NODE_ID } from "../../wire/messages";
import {
  envFile,
  freeNodeId,
  isLoopback,
  LISTEN_TO_OTHERS,
  platformOf,
  steps,
  type Platform,
  type Step,
} from "./instructions";
import { fetchAuthority } from "./lines";
import { PlatformTabs, tabId } from "./platform-tabs";

interface Minted {
  readonly nodeId: string;
  readonly token: string;
  /** When it was last heard before: only news of it means that it is here. */
  readonly heardBefore: number;
}

interface ByHandProps {
  /** Another token for a machine that is known already. */
  readonly nodeId: string | undefined;
  readonly onTitle: (title: string) => void;
  readonly onClose: () => void;
  readonly onBack: () => void;
  /** Asked by the dialog whether it may close. */
  readonly guard: { current: () => boolean };
}

/** The steps, inside the dialog. `onTitle` is told its title; `guard` whether it may be closed. */
export function ByHand({ nodeId, onTitle, onClose, onBack, guard }: ByHandProps) {
  const [minted, setMinted] = useState<Minted | null>(null);
  const warned = useRef(false);
  const [warning, setWarning] = useState(false);
  const here = minted !== null && isHere(minted);
  guard.current = () => {
    if (!minted || here || warned.current) return true;
    warned.current = true;
    setWarning(true);
    return false;
  };
  if (!minted) {
    return (
      <ChooseId
        nodeId={nodeId}
        onBack={onBack}
        onMinted={(fresh) => {
          setMinted(fresh);
          onTitle(`Set up ${fresh.nodeId} by hand`);
        }}
      />
    );
  }
  return <Instructions minted={minted} here={here} warning={warning} onOpen={onClose} />;
}

function isHere({ nodeId, heardBefore }: Minted): boolean {
  const machine = fleet.value?.get(nodeId);
  return machine?.status === "online" && machine.lastSeen > heardBefore;
}

interface ChooseIdProps {
  readonly onBack: () => void;
  readonly onMinted: (minted: Minted) => void;
  readonly nodeId: string | undefined;
}

function ChooseId({ onBack, onMinted, nodeId }: ChooseIdProps) {
  const known = fleet.value ?? new Map<string, never>();
  const [id, setId] = useState(() => nodeId ?? freeNodeId(known));
  const { busy, failure, run } = useAction();
  const valid = NODE_ID.test(id);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!valid) return;
        run(async () => {
          const { token } = await mintToken({ node_id: id });
          const heardBefore = fleet.peek()?.get(id)?.lastSeen ?? 0;
          onMinted({ nodeId: id, token, heardBefore });
        });
      }}
    >
      <label class="field">
        <span>A short id for the machine</span>
        <input
          type="text"
          data-first-focus
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={id}
          readOnly={nodeId !== undefined}
          aria-invalid={!valid}
          aria-describedby="node-id-help"
          onFocus={(event) => {
            event.currentTarget.select();
          }}
          onInput={(event) => {
            setId(event.currentTarget.value.trim());
          }}
        />
      </label>
      <p id="node-id-help" class={valid ? "hint" : "failure"} aria-live="polite">
        {idAdvice(id, valid, known.has(id))}
      </p>
      <Failure reason={failure} />
      <div class="dialog-actions dialog-actions-apart">
        <button type="button" class="button button-quiet" onClick={onBack}>
          Back to the invite
        </button>
        <button type="submit" class="button button-primary" disabled={!valid || busy}>
          {busy ? "Minting a token…" : "Mint its token"}
        </button>
      </div>
    </form>
  );
}

function idAdvice(id: string, valid: boolean, known: boolean): string {
  if (!valid) {
    if (id === "") return "Give it an id, for example nas-2.";
    if (id.length > 64) return "64 characters at most.";
    return /^[A-Za-z0-9]/.test(id)
      ? "Only letters without accents, digits, dots, underscores and hyphens."
      : "The first character is a letter or a digit.";
  }
  if (known)
    return `${id} is here already: this mints one more token for it. The others stay valid.`;
  return "It stays the same for good, and only this machine may use it. A friendlier name can be given later.";
}

interface InstructionsProps {
  readonly minted: Minted;
  readonly here: boolean;
  readonly warning: boolean;
  readonly onOpen: () => void;
}

function Instructions({ minted, here, warning, onOpen }: InstructionsProps) {
  const [platform, setPlatform] = useState<Platform>(() => platformOf(navigator.userAgent));
  const [centralUrl, setCentralUrl] = useState(location.origin);
  const [authority] = useLoaded(hasOwnAuthority);
  const ownAuthority = authority.state === "ready" && authority.value;
  const settings = { nodeId: minted.nodeId, token: minted.token, centralUrl, ownAuthority };
  const { install, open, run } = steps(platform);
  const notice = useRef<HTMLParagraphElement>(null);
  useEffect(() => {
    // What had the focus went with the form.
    notice.current?.focus();
  }, []);
  return (
    <>
      <p class="notice" ref={notice} tabIndex={-1}>
        <strong>This token is shown once.</strong> Keep this window open until the machine is here.
      </p>
      <PlatformTabs platform={platform} onChange={setPlatform} panel="add-steps" />
      <div id="add-steps" role="tabpanel" aria-labelledby={tabId("add-steps", platform)}>
        <ol class="steps">
          <StepItem step={install} />
          {ownAuthority && (
            <StepItem
              step={{
                title: "Fetch the certificate of this collector’s authority",
                text: fetchAuthority(platform, centralUrl),
                note:
                  "Nothing proves yet that it is the right one: compare its fingerprint with what " +
                  "the collector shows at its start (openssl x509 -in ca.pem -noout -fingerprint " +
                  "-sha256). A join string does that by itself.",
              }}
            />
          )}
          <StepItem step={open} />
          <li>
            <h3>
              Paste these lines
              {platform === "windows" ? ", save and close" : ", then Enter and Ctrl-D"}
            </h3>
            <AddressField url={centralUrl} onChange={setCentralUrl} />
            <CopyBlock text={envFile(settings)} what="the settings">
              {envFile({ ...settings, token: "" })}
              <span data-testid="minted-token">{minted.token}</span>
            </CopyBlock>
          </li>
          <StepItem step={run} />
        </ol>
      </div>
      <Arrival nodeId={minted.nodeId} here={here} warning={warning} onOpen={onOpen} />
    </>
  );
}

function StepItem({ step }: { readonly step: Step }) {
  return (
    <li>
      <h3>{step.title}</h3>
      <CopyBlock text={step.text} what={`the commands: ${step.title}`} />
      {step.note && <p class="hint">{step.note}</p>}
    </li>
  );
}

interface AddressFieldProps {
  readonly url: string;
  readonly onChange: (url: string) => void;
}

function AddressField({ url, onChange }: AddressFieldProps) {
  const valid = URL.canParse(url) && /^https?:/.test(url);
  return (
    <>
      <label class="field">
        <span>This collector’s address, as that machine reaches it</span>
        <input
          type="url"
          spellcheck={false}
          autocomplete="off"
          value={url}
          aria-invalid={!valid}
          onInput={(event) => {
            onChange(event.currentTarget.value.trim().replace(/\/+$/, ""));
          }}
        />
      </label>
      {!valid && <p class="failure">An address such as http://192.168.1.10:8750.</p>}
      {isLoopback(url) && (
        <p class="caution">
          Other machines cannot use <code>{new URL(url).hostname}</code>: put this machine’s own
          address here, and let the collector listen to others with <code>{LISTEN_TO_OTHERS}</code>
        </p>
      )}
    </>
  );
}

interface ArrivalProps {
  readonly nodeId: string;
  readonly here: boolean;
  readonly warning: boolean;
  readonly onOpen: () => void;
}

function Arrival({ nodeId, here, warning, onOpen }: ArrivalProps) {
  return (
    <div class={here ? "arrival arrival-here" : "arrival"}>
      <p role="status" aria-live="polite">
        {here ? (
          <strong>{nodeId} is here ✓</strong>
        ) : (
          <>
            <span class="waiting-dot" aria-hidden="true" /> Waiting for {nodeId}…
          </>
        )}
      </p>
      {here && (
        <a class="button button-primary" href={nodeAddress(nodeId)} onClick={onOpen}>
          Open {nodeId}
        </a>
      )}
      {warning && !here && (
        <p class="caution" role="alert">
          The token is not shown again once this is closed. Close once more to leave all the same:
          you can mint another, and revoke this one under Access.
        </p>
      )}
    </div>
  );
}
