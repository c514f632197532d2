/** A new job: its type, and what it is given to work on. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../../api";
import { cancelJob } from "../../jobs/api";
import { bytes, plural } from "../../format/units";
import {
  MOST_FILE_BYTES,
  payloadOf,
  takesText,
  textOf,
  UnusablePayload,
  type Payload,
} from "../../jobs/payload";
import { go } from "../../location";
import { Failure, useAction } from "../../ui/action";
import { Dialog } from "../../ui/dialog";
import { TextField } from "../../ui/form-dialog";
import { Icon } from "../../ui/icons";
import { Untrusted } from "../../ui/untrusted";
import type { JobType } from "../../wire/jobs";
import { handIn, newJobId, type Handing } from "./send";

interface NewJobProps {
  /** null: not known. */
  readonly types: readonly JobType[] | null;
  /** Dropped on the page. */
  readonly file: File | null;
  readonly onClose: () => void;
}

interface Content {
  readonly name: string;
  readonly text: string;
}

interface Faults {
  readonly type: string;
  readonly name: string;
  readonly priority: string;
  readonly payload: readonly string[];
  /** Of none of these. */
  readonly other: string;
}

const NO_FAULTS: Faults = { type: "", name: "", priority: "", payload: [], other: "" };
const JOB_TYPE = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const MOST_PRIORITY = 100;
const MOST_FAULTS = 8;

/** For a file one that takes files as they are, as plans come: of the others few are dropped. */
function firstChoice(types: NewJobProps["types"], file: File | null): string {
  const fitting = file ? types?.find((one) => takesText(one, one.name)) : undefined;
  return (fitting ?? types?.[0])?.name ?? "";
}

export function NewJob({ types, file, onClose }: NewJobProps) {
  const [type, setType] = useState(() => firstChoice(types, file));
  const [name, setName] = useState("");
  const [priority, setPriority] = useState("0");
  const [typed, setTyped] = useState("");
  const [content, setContent] = useState<Content | null>(null);
  const [faults, setFaults] = useState(NO_FAULTS);
  const [step, setStep] = useState<Handing | null>(null);
  const id = useRef(newJobId());
  const isOnItsWay = useRef(false);
  const { busy, run } = useAction();
  const known = types?.find((one) => one.name === type);

  const take = (chosen: File) => {
    if (chosen.size > MOST_FILE_BYTES) {
      setFaults({ ...NO_FAULTS, payload: [`It is larger than ${bytes(MOST_FILE_BYTES)}.`] });
      return;
    }
    void textOf(chosen).then((text) => {
      setContent({ name: chosen.name, text });
      setFaults(NO_FAULTS);
      setName((before) => before || withoutEnding(chosen.name).slice(0, 64));
    });
  };
  useEffect(() => {
    if (file) take(file);
  }, [file]);

  const submit = async () => {
    setFaults(NO_FAULTS);
    let payload: Payload;
    try {
      payload = payloadOf(content?.text ?? typed, takesText(known, type));
    } catch (error) {
      if (!(error instanceof UnusablePayload)) throw error;
      setFaults({ ...NO_FAULTS, payload: [error.message] });
      return;
    }
    try {
      isOnItsWay.current = true;
      const submission = {
        id: id.current,
        type,
        ...(name.trim() && { name: name.trim() }),
        ...(Number(priority) !== 0 && { priority: Number(priority) }),
      };
      const made = await handIn(submission, payload.json, setStep);
      isOnItsWay.current = false;
      onClose();
      go({ page: "job", id: made });
    } catch (error) {
      // Nothing was kept of what the collector refused: it is a new job when it is right.
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) {
        id.current = newJobId();
        isOnItsWay.current = false;
      }
      setFaults(faultsOf(error));
      setStep(null);
    }
  };

  return (
    <Dialog
      title="New job"
      wide
      onClose={() => {
        // Half of a payload is of no use to anybody.
        if (isOnItsWay.current) void cancelJob(id.current).catch(() => undefined);
        onClose();
      }}
    >
      <form
        class="new-job"
        onSubmit={(event) => {
          event.preventDefault();
          run(submit);
        }}
      >
        <TypeField types={types} type={type} fault={faults.type} onChange={setType} />
        <div class="field-row">
          <div>
            <TextField
              label="Name"
              prose
              maxLength={64}
              value={name}
              invalid={faults.name !== ""}
              onChange={setName}
            />
            <Failure reason={faults.name} />
          </div>
          <label class="field priority-field">
            <span>Priority</span>
            <input
              type="number"
              min={-MOST_PRIORITY}
              max={MOST_PRIORITY}
              step={1}
              value={priority}
              aria-invalid={faults.priority !== ""}
              onInput={(event) => {
                setPriority(event.currentTarget.value);
              }}
            />
            <Failure reason={faults.priority} />
          </label>
        </div>
        <PayloadField
          content={content}
          typed={typed}
          asText={takesText(known, type)}
          isInvalid={faults.payload.length > 0}
          onFile={take}
          onType={setTyped}
          onClear={() => {
            setContent(null);
            setFaults(NO_FAULTS);
          }}
        />
        {faults.payload.length > 0 && (
          <ul class="failure payload-faults" role="alert">
            {faults.payload.slice(0, MOST_FAULTS).map((fault, place) => (
              <li key={place}>
                <Untrusted text={fault} />
              </li>
            ))}
            {faults.payload.length > MOST_FAULTS && (
              <li>and {plural(faults.payload.length - MOST_FAULTS, "more fault")}</li>
            )}
          </ul>
        )}
        <Failure reason={faults.other} />
        {step && <Step step={step} />}
        <div class="dialog-actions">
          <button
            type="submit"
            class="button button-primary"
            disabled={busy || !JOB_TYPE.test(type)}
          >
            {busy ? "Submitting…" : faults.other ? "Try again" : "Submit"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface TypeFieldProps {
  readonly types: readonly JobType[] | null;
  readonly type: string;
  readonly fault: string;
  readonly onChange: (type: string) => void;
}

/** A choice of what machines offer; where that is not known, a name. */
function TypeField({ types, type, fault, onChange }: TypeFieldProps) {
  const [isAsked, setAsked] = useState(false);
  const isOther = isAsked || !types?.length;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The list that had the focus is gone.
    if (isAsked) box.current?.querySelector("input")?.focus();
  }, [isAsked]);
  useEffect(() => {
    // They may come while the dialog is open.
    const [first] = types ?? [];
    if (first && type === "" && !isAsked) onChange(first.name);
  }, [types]);
  const known = types?.find((one) => one.name === type);
  return (
    <div ref={box} class="field">
      {isOther ? (
        <TextField
          label="Type"
          value={type}
          maxLength={64}
          firstFocus
          invalid={fault !== ""}
          onChange={onChange}
        />
      ) : (
        <label class="field select">
          <span>Type</span>
          <select
            value={type}
            data-first-focus
            onChange={(event) => {
              const chosen = event.currentTarget.value;
              if (chosen === "") setAsked(true);
              onChange(chosen);
            }}
          >
            {types.map((one) => (
              <option key={one.name} value={one.name}>
                {one.title ? `${one.name}: ${one.title}` : one.name}
              </option>
            ))}
            <option value="">Another…</option>
          </select>
        </label>
      )}
      <Failure reason={fault} />
      <p class="hint">
        {known
          ? `${plural(known.workers, "worker")} can do it.`
          : isOther
            ? "The name of a plugin. Until a machine offers it, the job waits. "
            : ""}
        {isAsked && types?.[0] && (
          <button
            type="button"
            class="link-button"
            onClick={() => {
              setAsked(false);
              onChange(types[0]?.name ?? "");
            }}
          >
            Choose one that is offered
          </button>
        )}
      </p>
    </div>
  );
}

interface PayloadFieldProps {
  readonly content: Content | null;
  readonly typed: string;
  readonly asText: boolean;
  readonly isInvalid: boolean;
  readonly onFile: (file: File) => void;
  readonly onType: (text: string) => void;
  readonly onClear: () => void;
}

function PayloadField(props: PayloadFieldProps) {
  const { content, typed, asText, isInvalid, onFile, onType, onClear } = props;
  const [isOver, setOver] = useState(false);
  const picker = useRef<HTMLInputElement>(null);
  return (
    <div
      class={isOver ? "payload-field is-over" : "payload-field"}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => {
        setOver(false);
      }}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = event.dataTransfer?.files[0];
        if (file) onFile(file);
      }}
    >
      <div class="payload-head">
        <span id="payload-label">Payload</span>
        <button type="button" class="button" onClick={() => picker.current?.click()}>
          <Icon name="file" /> Choose a file
        </button>
        <input
          ref={picker}
          type="file"
          hidden
          data-testid="payload-file"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file) onFile(file);
          }}
        />
      </div>
      {content ? (
        <p class="payload-file" role="status">
          <Icon name="file" />
          <strong>
            <Untrusted text={content.name} />
          </strong>
          <span class="hint">{bytes(content.text.length)}</span>
          <button type="button" class="link-button" onClick={onClear}>
            Remove
          </button>
        </p>
      ) : (
        <textarea
          rows={6}
          spellcheck={false}
          aria-labelledby="payload-label"
          aria-invalid={isInvalid}
          placeholder={
            asText
              ? "Drop a file here, or write: JSON, or an instance in JSPLIB, FJSPLIB or PSPLIB format"
              : "Drop a file here, or write JSON"
          }
          value={typed}
          onInput={(event) => {
            onType(event.currentTarget.value);
          }}
        />
      )}
    </div>
  );
}

function Step({ step }: { readonly step: Handing }) {
  const pct = step.size === 0 ? 0 : (step.done / step.size) * 100;
  const verb = step.doing === "reading" ? "Reading" : "Uploading";
  return (
    <div
      class="upload-step"
      role="progressbar"
      aria-label={verb}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(pct)}
    >
      <span class="bar" aria-hidden="true"><span style={{ transform: `scaleX(${(pct / 100).toFixed(3)})` }} /></span>
      <span class="hint">
        {verb}: {bytes(step.done)} of {bytes(step.size)}
      </span>
    </div>
  );
}

/** Each fault at its place. */
function faultsOf(error: unknown): Faults {
  if (!(error instanceof ApiError)) {
    return { ...NO_FAULTS, other: error instanceof Error ? error.message : String(error) };
  }
  const at = (field: string) =>
    error.errors.find((one) => one.field === field || one.field === `$.${field}`)?.detail ?? "";
  const own = { type: at("type"), name: at("name"), priority: at("priority") };
  const payload =
    error.code === "payload_invalid" || error.code === "too_large"
      ? error.errors.map((one) => `${one.field}: ${one.detail}`)
      : error.errors
          .filter((one) => one.field.includes("payload"))
          .map((one) => `${one.field}: ${one.detail}`);
  const isPlaced = own.type || own.name || own.priority || payload.length > 0;
  return { ...own, payload, other: isPlaced ? "" : error.message };
}

function withoutEnding(name: string): string {
  return name.replace(/\.(json|txt|jsp|fjs|sm|mm)$/i, "");
}
