/** The fleet page before there is anything, or when nothing fits the filter. */

import { Icon } from "../../ui/icons";

export function NoMachines({ onAdd }: { readonly onAdd: (() => void) | null }) {
  return (
    <section class="empty">
      <h1>No machine reports yet</h1>
      <p>
        An agent on each machine sends its figures here every 5 seconds. The collector’s own machine
        appears by itself, unless the collector runs with <code>--no-local-agent</code>.
      </p>
      {onAdd ? (
        <>
          <button type="button" class="button button-primary" onClick={onAdd}>
            <Icon name="plus" /> Add a machine
          </button>
          <p class="hint">It takes one line to paste on that machine.</p>
        </>
      ) : (
        <p class="hint">Ask an admin of this collector to add a machine.</p>
      )}
    </section>
  );
}

export function Skeletons() {
  return (
    <div role="status" aria-label="Loading the fleet">
      <div class="summary" aria-hidden="true">
        {Array.from({ length: 5 }, (_, index) => (
          <div key={index} class="panel summary-panel skeleton" />
        ))}
      </div>
      <div class="toolbar toolbar-skeleton" aria-hidden="true">
        <div class="skeleton" />
      </div>
      <div class="skeleton-cards" aria-hidden="true">
        {Array.from({ length: 12 }, (_, index) => (
          <div key={index} class="card skeleton" />
        ))}
      </div>
    </div>
  );
}
