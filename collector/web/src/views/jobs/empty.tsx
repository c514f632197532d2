/** The page of jobs before there is any, or when none fits the filter. */

import { mayChangeJobs } from "../../session";
import { Icon } from "../../ui/icons";

interface NoJobsProps {
  readonly hasWorkers: boolean;
  readonly onNew: () => void;
}

export function NoJobsYet({ hasWorkers, onNew }: NoJobsProps) {
  return (
    <section class="empty">
      <h1>No job yet</h1>
      <p>
        A job is a piece of work, such as a production plan to be made: a machine of the fleet that
        may do such work takes it, and its result comes back here.
      </p>
      {mayChangeJobs.value ? (
        <>
          <button type="button" class="button button-primary" onClick={onNew}>
            <Icon name="plus" /> New job
          </button>
          <p class="hint">Or drop a file here, or from a terminal:</p>
          <pre class="snippet">
            <code>forgectl jobs submit TYPE FILE</code>
          </pre>
        </>
      ) : (
        <p class="hint">Admins and submitters give jobs to the fleet.</p>
      )}
      {!hasWorkers && <SwitchOn />}
    </section>
  );
}

/** How a machine begins to take jobs. */
export function SwitchOn() {
  return (
    <div class="switch-on">
      <p>
        <strong>No machine takes jobs yet.</strong> Only its owner can switch that on, on the machine
        itself:
      </p>
      <pre class="snippet">
        <code>forge-agent work on</code>
      </pre>
      <p class="hint">
        It then works while nobody uses it, and says under <code>forge-agent work status</code> why it
        does not.
      </p>
    </div>
  );
}
