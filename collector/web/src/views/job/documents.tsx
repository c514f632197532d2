/** What a job was given, and what came of it: JSON here or in a file, and a plan drawn. */

import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { jobFile, jobFilePath } from "../../jobs/api";
import { bytes } from "../../format/units";
import { reasonOf } from "../../reason";
import { shortId } from "../../jobs/words";
import { Failure } from "../../ui/action";
import { Icon } from "../../ui/icons";
import { JsonView } from "../../ui/json-view";
import type { Job, JobFile } from "../../wire/jobs";
import { looksLikePlan, planIn } from "../../wire/plan";
import { LatePlan } from "./late-parts";

interface PartProps {
  readonly job: Job;
}

export function Payload({ job }: PartProps) {
  const file = wholeFile(job, "payload");
  const part = job.files.find(({ name }) => name === "payload");
  return (
    <section class="section" aria-label="Payload">
      <h2>Payload</h2>
      <div class="panel block">
        {file ? (
          <FileLine job={job} file={file} />
        ) : part ? (
          <p class="hint">
            {bytes(part.received)} of {bytes(part.size)} have been uploaded so far.
          </p>
        ) : (
          <JsonView value={job.payload} what="The payload" fileName={fileName(job, "payload")} />
        )}
      </div>
    </section>
  );
}

/** A file that is no larger is fetched by itself, to see whether it is a plan. */
const FETCHED_BYTES = 32 * 1024 * 1024;

export interface KnownResult {
  /** undefined: it is a file that is not here, or not yet. */
  readonly value: unknown;
  readonly failure: string;
  /** null: it is none. */
  readonly plan: ReturnType<typeof planIn> | null;
}

/** A result that can be drawn. */
export function Drawn({ result, name }: { readonly result: KnownResult; readonly name: string }) {
  return result.plan?.kind === "plan" ? <LatePlan plan={result.plan.plan} name={name} /> : null;
}

export function ResultDocument({ job, result }: PartProps & { readonly result: KnownResult }) {
  const file = wholeFile(job, "result");
  const { value, failure, plan } = result;
  return (
    <section class="section" aria-label="Result">
      <h2>Result</h2>
      <div class="panel block">
        {plan?.kind === "fault" && (
          <p class="caution">It looks like a plan that cannot be drawn: {plan.fault}</p>
        )}
        {file && <FileLine job={job} file={file} />}
        <Failure reason={failure} />
        {value !== undefined && (
          <Folded isFolded={plan?.kind === "plan"}>
            <JsonView value={value} what="The result" fileName={fileName(job, "result")} />
          </Folded>
        )}
      </div>
    </section>
  );
}

/** What is drawn above need not be read here too. */
function Folded({
  isFolded,
  children,
}: {
  readonly isFolded: boolean;
  readonly children: ComponentChildren;
}) {
  if (!isFolded) return <>{children}</>;
  return (
    <details>
      <summary>As JSON</summary>
      {children}
    </details>
  );
}

/** What came of a job, from the job itself or its file, read as a plan where it looks like one. */
export function useResult(job: Job | null): KnownResult {
  const [fetched, setFetched] = useState<{ readonly value: unknown } | null>(null);
  const [failure, setFailure] = useState("");
  const file = job?.status === "succeeded" ? wholeFile(job, "result") : null;
  const wanted = file && file.size <= FETCHED_BYTES && job ? `${job.id} ${file.sha256}` : "";
  useEffect(() => {
    setFetched(null);
    setFailure("");
    const [id] = wanted.split(" ");
    if (!id) return;
    let isOver = false;
    jobFile(id, "result").then(
      (value) => {
        if (!isOver) setFetched({ value });
      },
      (error: unknown) => {
        if (!isOver) setFailure(reasonOf(error));
      },
    );
    return () => {
      isOver = true;
    };
  }, [wanted]);
  const value = file ? fetched?.value : job?.result;
  const plan = useMemo(() => (looksLikePlan(value) ? planIn(value) : null), [value]);
  return { value, failure, plan };
}

function FileLine({ job, file }: PartProps & { readonly file: JobFile }) {
  return (
    <p class="file-line">
      <Icon name="file" />
      <span>{bytes(file.size)}</span>
      <a
        class="button button-small"
        href={jobFilePath(job.id, file.name)}
        download={fileName(job, file.name)}
      >
        <Icon name="download" /> Download
      </a>
      <small class="hint digest" title="SHA-256">
        {file.sha256}
      </small>
    </p>
  );
}

function wholeFile(job: Job, name: string): JobFile | null {
  const file = job.files.find((one) => one.name === name);
  return file && file.received === file.size ? file : null;
}

export function fileName(job: Job, what: string): string {
  return `${job.type}-${shortId(job.id)}-${what}.json`;
}
