/** Changes what people may change of a machine: its name, its tags, whether it is normally off. */

import { useState } from "preact/hooks";
import { editNode } from "../../api";
import type { Machine } from "../../fleet/state";
import { FormDialog, TextField } from "../../ui/form-dialog";
import { TAG } from "../../wire/messages";

interface EditMachineProps {
  readonly machine: Machine;
  readonly onClose: () => void;
}

const LONGEST_NAME = 64;

export function EditMachine({ machine, onClose }: EditMachineProps) {
  const [name, setName] = useState(machine.name);
  const [tagText, setTagText] = useState(machine.facts.tags.join(" "));
  const [ephemeral, setEphemeral] = useState(machine.facts.ephemeral);
  const tags = [...new Set(tagText.split(/[\s,]+/).filter(Boolean))];
  const badTag = tags.find((tag) => !TAG.test(tag));
  return (
    <FormDialog
      title="Edit the machine"
      verb="Save"
      ready={name.trim() !== "" && badTag === undefined}
      onSubmit={async () => {
        await editNode(machine.id, { name: name.trim(), tags, ephemeral });
      }}
      onClose={onClose}
    >
      <TextField
        label="Name"
        value={name}
        onChange={setName}
        maxLength={LONGEST_NAME}
        firstFocus
        prose
      />
      <TextField
        label="Tags, separated by spaces"
        value={tagText}
        onChange={setTagText}
        invalid={badTag !== undefined}
      />
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
    </FormDialog>
  );
}
