/** The title of the browser's tab. */

import { useEffect } from "preact/hooks";

const SITE = document.title;
/** Whose name the tab bears: the next one's page comes before the last one has gone. */
let namesake: object | null = null;

/** The tab's title names what the page is of while it is open. */
export function useTitle(name: string): void {
  useEffect(() => {
    const own = {};
    namesake = own;
    document.title = `${name} · ${SITE}`;
    return () => {
      if (namesake === own) document.title = SITE;
    };
  }, [name]);
}
