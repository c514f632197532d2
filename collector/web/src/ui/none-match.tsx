/** A list when nothing fits what it was filtered by. */

interface NoneMatchProps {
  /** What is in the list, of which the plural ends in s. */
  readonly what: string;
  readonly onClear: () => void;
}

export function NoneMatch({ what, onClear }: NoneMatchProps) {
  return (
    <section class="empty empty-small">
      <p>No {what} fits this search and these filters.</p>
      <button type="button" class="button" onClick={onClear}>
        Show all {what}s
      </button>
    </section>
  );
}
