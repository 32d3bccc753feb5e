/**
 * Sizes and durations as people write them: `64MiB`, `512 KB`, `90s`, `1.5h`. A whole number and a unit, or a decimal fraction of
 * a unit when it comes to whole bytes or milliseconds. `KB` and the like are powers of 1,000, `KiB` of 1,024. A text without a unit is none.
 */
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
  TB: 1e12,
  TiB: 2 ** 40,
};
const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3 };

/** How sizes and durations look, as a pattern for schemas. */
export const BYTES_PATTERN = patternOf(BYTES);
export const DURATION_PATTERN = patternOf(MILLISECONDS);

/** Bytes, or undefined when the text is no size. */
export function parseBytes(text: string): number | undefined {
  return parseQuantity(text, BYTES_PATTERN, BYTES);
}

/** Milliseconds, or undefined when the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  return parseQuantity(text, DURATION_PATTERN, MILLISECONDS);
}

function patternOf(units: Readonly<Record<string, number>>): string {
  return `^(\\d{1,15}(?:\\.\\d{1,6})?) ?(${Object.keys(units).join('|')})$`;
}

function parseQuantity(text: string, pattern: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = new RegExp(pattern).exec(text);
  const unit = units[match?.[2] ?? ''];
  if (unit === undefined) return undefined;
  const value = Number(match?.[1]) * unit;
  const whole = Math.round(value);
  // A fraction like 1.001 has no exact binary form; its product is off by far less than this.
  return Number.isSafeInteger(whole) && Math.abs(value - whole) < 1e-6 ? whole : undefined;
}
