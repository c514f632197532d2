/** What the toolbars of the fleet and of the jobs are made of. */

import type { ComponentChild } from "preact";
import { useCallback, useRef } from "preact/hooks";
import { count } from "../format/units";
import { useKeys } from "../keys";
import { Icon } from "./icons";

interface SearchProps {
  readonly label: string;
  readonly placeholder: string;
  readonly value: string;
  readonly maxLength?: number;
  readonly onChange: (search: string) => void;
}

/** A slash leads into it; the arrow down to what was found. Escape empties it, then leaves it. */
export function Search({ label, placeholder, value, maxLength, onChange }: SearchProps) {
  const field = useRef<HTMLInputElement>(null);
  const onKey = useCallback((key: string) => {
    if (key !== "/") return false;
    field.current?.focus();
    field.current?.select();
    return true;
  }, []);
  useKeys(onKey);
  return (
    <label class="search">
      <Icon name="search" />
      <span class="unseen">{label}</span>
      <input
        ref={field}
        type="search"
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        maxLength={maxLength}
        value={value}
        onInput={(event) => {
          onChange(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") firstFound()?.focus();
          else if (event.key !== "Escape") return;
          else if (value) onChange("");
          else event.currentTarget.blur();
          event.preventDefault();
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  );
}

/** Of the list below, what Tab reaches of it. */
function firstFound(): HTMLElement | null {
  return document.querySelector<HTMLElement>('[data-item] a[tabindex="0"]');
}

interface ChipProps {
  readonly glyph: ComponentChild;
  readonly name: string;
  readonly found: number;
  readonly pressed: boolean;
  readonly onToggle: () => void;
}

/** A status that can be chosen, and how many there are in it. */
export function StatusChip({ glyph, name, found, pressed, onToggle }: ChipProps) {
  return (
    <button
      type="button"
      class={found === 0 ? "chip chip-none" : "chip"}
      aria-pressed={pressed}
      onClick={onToggle}
    >
      {glyph}
      <span>{name}</span>
      <span class="chip-count">{count(found)}</span>
    </button>
  );
}

export function ClearChip({ onClear }: { readonly onClear: () => void }) {
  return (
    <button type="button" class="chip chip-clear" onClick={onClear}>
      Clear
    </button>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: readonly (readonly [value: T, words: string])[];
  readonly onChange: (value: T) => void;
}

/** One of several; what the address asks for is chosen, known or not. */
export function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  const isKnown = options.some(([known]) => known === value);
  return (
    <label class="select">
      <span class="unseen">{label}</span>
      <select
        value={value}
        onChange={(event) => {
          const chosen = options.find(([one]) => one === event.currentTarget.value);
          if (chosen) onChange(chosen[0]);
        }}
      >
        {!isKnown && <option value={value}>{value.slice(0, 64)}</option>}
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

export function toggled<T>(chosen: readonly T[], one: T): readonly T[] {
  return chosen.includes(one) ? chosen.filter((other) => other !== one) : [...chosen, one];
}
