/** In place of what could not be asked for. */

interface UnloadedProps {
  /** "The job" */
  readonly what: string;
  readonly reason: string;
  readonly onRetry: () => void;
}

export function Unloaded({ what, reason, onRetry }: UnloadedProps) {
  return (
    <section class="empty empty-small" role="alert">
      <h2>{what} could not be loaded</h2>
      <p class="failure">{reason}</p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
    </section>
  );
}
