/** A point with a gap on either side makes no line: it is drawn as a point. */

import type uPlot from "uplot";

export const isolated: uPlot.Series.Points.Filter = (chart, series) => {
  const column = chart.data[series];
  const found: number[] = [];
  if (!column) return found;
  for (let place = 0; place < column.length; place += 1) {
    if (isNumber(column[place]) && !isNumber(column[place - 1]) && !isNumber(column[place + 1])) {
      found.push(place);
    }
  }
  return found;
};

function isNumber(value: number | null | undefined): boolean {
  return typeof value === "number";
}
