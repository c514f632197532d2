/** What a chart shows, as plain data: two equal specs are one chart. */

import {
  brief,
  bytes,
  bytesPerSecond,
  count,
  memory,
  percent,
  plainNumber,
} from "../format/units";
import { longSpan } from "../format/time";

export type Unit = keyof typeof UNITS;

/** A colour of tokens.css, by its name there. */
export type Colour = `--${string}`;

export interface Line {
  readonly key: string;
  /** May be a node's words: cleaned, and shown as text. */
  readonly label: string;
  readonly colour: Colour;
  /** Another figure to be read beside it: bytes beside a share. */
  readonly also?: { readonly key: string; readonly unit: Unit };
  readonly area?: boolean;
  /** Drawn downward from the middle. */
  readonly below?: boolean;
}

export interface ChartSpec {
  readonly id: string;
  readonly title: string;
  /** Part of the title that a node chose. */
  readonly subject?: string;
  readonly unit: Unit;
  readonly lines: readonly Line[];
  /** `stack`: each line stands on the one before it. `mirror`: some are drawn downward. */
  readonly shape: "lines" | "stack" | "mirror";
  /** In a stack: the series whose greatest figures are drawn above it. */
  readonly peak?: string;
  /** `whole`: 0 to 100. `share`: 0 to 25, 50 or 100. `free`: from 0. `level`: about the figures. */
  readonly scale: "whole" | "share" | "free" | "level";
  /** A level to compare with, such as the number of cores. */
  readonly guide?: { readonly value: number; readonly label: string };
  /** Takes a row of its own. */
  readonly wide?: boolean;
  /** Series that there was no room for. */
  readonly more?: number;
}

interface UnitFormat {
  readonly figure: (value: number | undefined) => string;
  readonly axis: (value: number) => string;
  /** A scale is never finer than to this. */
  readonly least: number;
}

const DASH = "–";

function orDash(format: (value: number) => string): (value: number | undefined) => string {
  return (value) => (value === undefined ? DASH : format(value));
}

export const UNITS = {
  percent: { figure: percent, axis: (value) => `${plainNumber(value)} %`, least: 10 },
  bytes: { figure: bytes, axis: (value) => brief(bytes(value)), least: 1000 },
  memory: { figure: memory, axis: (value) => brief(memory(value)), least: 1024 },
  bytesPerSecond: {
    figure: bytesPerSecond,
    axis: (value) => brief(bytesPerSecond(value)),
    least: 1000,
  },
  perSecond: {
    figure: orDash((value) => `${plainNumber(value)} /s`),
    axis: (value) => `${plainNumber(value)} /s`,
    least: 1,
  },
  celsius: {
    figure: orDash((value) => `${value.toFixed(1)} °C`),
    axis: (value) => `${plainNumber(value)} °C`,
    least: 5,
  },
  watts: {
    figure: orDash((value) => `${plainNumber(value)} W`),
    axis: (value) => `${plainNumber(value)} W`,
    least: 10,
  },
  load: { figure: orDash((value) => value.toFixed(2)), axis: plainNumber, least: 0.5 },
  count: { figure: orDash((value) => count(Math.round(value))), axis: plainNumber, least: 5 },
  span: {
    figure: orDash((value) => longSpan(value * 1000)),
    axis: (value) => longSpan(value * 1000),
    least: 60,
  },
  plain: { figure: orDash(plainNumber), axis: plainNumber, least: 0 },
} as const satisfies Record<string, UnitFormat>;
