/** Changes what people may change of a machine: its name, its tags, whether it is normally off. */

import { useState } from "preact/hooks";
import { editNode } from "../../api";
import type { Machine } from "../../fleet/state";
import { Failure, useAction } from "../../ui/action";
import { Dialog } from "../../ui/dialog";
import { TAG } from "../../wire/messages";

interface EditMachineProps {
  readonly machine: Machine;
  readonly onClose: () => void;
}

export function EditMachine({ machine, onClose }: EditMachineProps) {
  const [name, setName] = useState(machine.name);
  const [tagText, setTagText] = useState(machine.facts.tags.join(" "));
  const [ephemeral, setEphemeral] = useState(machine.facts.ephemeral);
  const { busy, failure, run } = useAction();
  const tags = [...new Set(tagText.split(/[\s,]+/).filter(Boolean))];
  const badTag = tags.find((tag) => !TAG.test(tag));
  return (
    <Dialog title="Edit the machine" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run(async () => {
            await editNode(machine.id, { name: name.trim(), tags, ephemeral });
            onClose();
          });
        }}
      >
        <label class="field">
          <span>Name</span>
          <input
            type="text"
            maxLength={64}
            required
            data-first-focus
            value={name}
            onInput={(event) => {
              setName(event.currentTarget.value);
            }}
          />
        </label>
        <label class="field">
          <span>Tags, separated by spaces</span>
          <input
            type="text"
            spellcheck={false}
            autocapitalize="off"
            autocomplete="off"
            value={tagText}
            aria-invalid={badTag !== undefined}
            onInput={(event) => {
              setTagText(event.currentTarget.value);
            }}
          />
        </label>
        {badTag !== undefined && (
          <p class="failure" aria-live="polite">
            “{badTag}” cannot be a tag: letters, digits, and . _ : - after the first, 32 at most.
          </p>
        )}
        <label class="tick">
          <input
            type="checkbox"
            checked={ephemeral}
            onChange={(event) => {
              setEphemeral(event.currentTarget.checked);
            }}
          />
          <span>
            Normally off
            <small>For a PC or laptop: when it is silent it is off, and that is no fault.</small>
          </span>
        </label>
        <Failure reason={failure} />
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="button button-primary"
            disabled={busy || !name.trim() || badTag !== undefined}
          >
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
