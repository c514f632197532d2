/** A dialog that asks for something and then does it: it closes when that went well. */

import type { ComponentChildren } from "preact";
import { Failure, useAction } from "./action";
import { Dialog } from "./dialog";

interface FormDialogProps {
  readonly title: string;
  /** What the button says. */
  readonly verb: string;
  readonly danger?: boolean;
  readonly ready: boolean;
  readonly onSubmit: () => Promise<void>;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function FormDialog(props: FormDialogProps) {
  const { title, verb, danger, ready, onSubmit, onClose } = props;
  const { busy, failure, run } = useAction();
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            await onSubmit();
            onClose();
          });
        }}
      >
        {props.children}
        <Failure reason={failure} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class={danger ? "button button-danger" : "button button-primary"}
            disabled={busy || !ready}
          >
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface TextFieldProps {
  readonly label: ComponentChildren;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly firstFocus?: boolean;
  /** Words for people, and not an id or a tag, which no keyboard may mend. */
  readonly prose?: boolean;
  readonly maxLength?: number;
  readonly invalid?: boolean;
}

export function TextField(props: TextFieldProps) {
  const { label, value, onChange, firstFocus, prose, maxLength, invalid } = props;
  return (
    <label class="field">
      <span>{label}</span>
      <input
        type="text"
        value={value}
        aria-invalid={invalid}
        data-first-focus={firstFocus}
        {...(maxLength !== undefined && { maxLength })}
        {...(!prose && { spellcheck: false, autocapitalize: "off", autocomplete: "off" })}
        onInput={(event) => {
          onChange(event.currentTarget.value);
        }}
      />
    </label>
  );
}
