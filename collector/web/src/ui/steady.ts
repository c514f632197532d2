/**
 * What one looks at stays where it is, while rows come and go above it.
 *
 * Browsers do so by themselves, but not across lists that are redrawn in part: they move what they
 * should hold. A page that uses this turns theirs off (overflow-anchor).
 */

interface Held {
  readonly id: string;
  readonly list: Element;
  readonly top: number;
}

export class Steady {
  #held: readonly Held[] = [];

  /** Before anything changes: notes what is in sight, what is in focus first. */
  note(): void {
    // At its top a page shows what is new.
    if (scrollY === 0) return;
    const focused = document.activeElement?.closest("[data-item]");
    const items = document.querySelectorAll<HTMLElement>("[data-item]");
    this.#held = [...items]
      .sort((a, b) => Number(b === focused) - Number(a === focused))
      .flatMap((item) => {
        const { top, bottom } = item.getBoundingClientRect();
        const list = item.closest("[role=list]");
        const id = item.dataset["item"];
        return list && id && top >= 0 && bottom <= innerHeight ? [{ id, list, top }] : [];
      });
    // All there is to draw is drawn before the next picture.
    requestAnimationFrame(() => {
      this.#held = [];
    });
  }

  /** Whenever something was drawn: scrolls so that it is where it was. */
  settle(): void {
    for (const { id, list, top } of this.#held) {
      // One that went to another list is not followed.
      const item = list.querySelector(`[data-item="${CSS.escape(id)}"]`);
      if (!item) continue;
      const moved = item.getBoundingClientRect().top - top;
      if (Math.abs(moved) >= 1) scrollBy(0, moved);
      return;
    }
  }
}
