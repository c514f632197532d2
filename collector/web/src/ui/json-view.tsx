/** Somebody's JSON, indented; a large one is not in the document until it is asked for. */

import { useMemo, useState } from "preact/hooks";
import { count } from "../format/units";
import { prettyJson } from "../wire/text";
import { save } from "./download";
import { Icon } from "./icons";

interface JsonViewProps {
  readonly value: unknown;
  /** What it is: "The payload", and its file's name. */
  readonly what: string;
  readonly fileName: string;
}

const FIRST_LINES = 24;
/** Longer than this it is for a download. */
const MOST_LINES = 5000;
const LONGEST_LINE = 2000;

export function JsonView({ value, what, fileName }: JsonViewProps) {
  const [isWhole, setWhole] = useState(false);
  const pretty = useMemo(() => prettyJson(value), [value]);
  const lines = useMemo(() => pretty.split("\n").map(cut), [pretty]);
  const shown = lines.slice(0, isWhole ? MOST_LINES : FIRST_LINES);
  return (
    <div class="json-view">
      <pre tabIndex={0} aria-label={what}>
        <code dir="ltr">{shown.join("\n")}</code>
      </pre>
      <p class="json-actions">
        {lines.length > FIRST_LINES && (
          <button
            type="button"
            class="link-button"
            aria-expanded={isWhole}
            onClick={() => {
              setWhole(!isWhole);
            }}
          >
            {isWhole ? "Show less" : `Show ${lines.length > MOST_LINES ? `the first ${count(MOST_LINES)} of ` : "all "}${count(lines.length)} lines`}
          </button>
        )}
        <button
          type="button"
          class="link-button"
          onClick={() => {
            save(new Blob([JSON.stringify(value)], { type: "application/json" }), fileName);
          }}
        >
          <Icon name="download" /> Download
        </button>
      </p>
    </div>
  );
}

function cut(line: string): string {
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
}
