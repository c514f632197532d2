/** Rights in a table: the first ones of many, each of which can be taken back at the end of its row. */

import type { ComponentChild } from "preact";
import { useFirstOnes } from "./first-ones";

interface RightsTableProps<T> {
  readonly found: readonly T[];
  readonly columns: readonly string[];
  readonly children: (one: T) => ComponentChild;
}

export function RightsTable<T>({ found, columns, children }: RightsTableProps<T>) {
  const [shown, more] = useFirstOnes(found);
  return (
    <div class="list-box">
      <table class="list">
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            <th scope="col">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>{shown.map(children)}</tbody>
      </table>
      {more}
    </div>
  );
}
