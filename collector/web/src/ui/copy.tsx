/** Text to take elsewhere, with a button that copies it. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";

interface CopyProps {
  readonly text: string;
  /** What is copied, for screen readers: "the token". */
  readonly what: string;
}

interface CopyBlockProps extends CopyProps {
  /** A long line is broken to be seen whole; it is copied as one. */
  readonly wraps?: boolean;
  /** The same text, where a part of it is marked up. */
  readonly children?: ComponentChildren;
}

export function CopyBlock({ text, what, wraps, children = text }: CopyBlockProps) {
  const code = useRef<HTMLElement>(null);
  return (
    <div class={wraps ? "copy-block copy-block-wraps" : "copy-block"}>
      <pre>
        <code ref={code}>{children}</code>
      </pre>
      <CopyButton text={text} what={what} source={() => code.current} />
    </div>
  );
}

const CONFIRMED_MS = 2000;

function CopyButton({
  text,
  what,
  source,
}: CopyProps & { readonly source: () => HTMLElement | null }) {
  const [outcome, setOutcome] = useState<"" | "copied" | "selected">("");
  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => {
      setOutcome("");
    }, CONFIRMED_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [outcome]);
  return (
    <button
      type="button"
      class="copy-button"
      aria-label={`Copy ${what}`}
      onClick={() => {
        void copy(text, source()).then(setOutcome);
      }}
    >
      <Icon name={outcome === "copied" ? "check" : "copy"} />
      <span aria-live="polite">
        {outcome === "copied" ? "Copied" : outcome === "selected" ? "Press Ctrl-C" : "Copy"}
      </span>
    </button>
  );
}

/**
 * The clipboard API exists on https and localhost only, and the page is often opened over plain
 * http in a home network: there the selection is copied the old way, or left for the reader's own
 * Ctrl-C.
 */
async function copy(text: string, element: HTMLElement | null): Promise<"copied" | "selected"> {
  if (isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return "copied";
    } catch {
      // Refused: the old way may still work.
    }
  }
  if (element) getSelection()?.selectAllChildren(element);
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way over http
  return document.execCommand("copy") ? "copied" : "selected";
}
