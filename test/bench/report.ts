/** The form every benchmark answers in: a table for people, then one line of JSON with the figures and the bars held or missed. */

export interface Bar {
  readonly name: string;
  /** For instance `>= 10`. */
  readonly want: string;
  /** Null when it could not be measured. */
  readonly got: number | null;
  readonly held: boolean;
  /** Why it was not. */
  readonly reason?: string;
}

/** A bar that could not be measured is missed. */
export function unmeasured(name: string, want: string, reason: string): Bar {
  return { name, want, got: null, held: false, reason };
}

export function atLeast(name: string, bound: number, got: number): Bar {
  return { name, want: `>= ${bound}`, got: round(got), held: got >= bound };
}

export function atMost(name: string, bound: number, got: number): Bar {
  return { name, want: `<= ${bound}`, got: round(got), held: got <= bound };
}

export function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Prints the table of figures (one row a subject), the bars, and the JSON line. */
export function report(
  bench: string,
  figures: Readonly<Record<string, Readonly<Record<string, number>>>>,
  bars: readonly Bar[],
): void {
  console.table(figures);
  for (const bar of bars)
    console.log(`${bar.held ? 'held  ' : 'MISSED'} ${bar.name}: ${bar.got ?? bar.reason} (want ${bar.want})`);
  console.log(JSON.stringify({ bench, figures, bars }));
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
