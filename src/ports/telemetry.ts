/**
 * Logs and metrics. A message is a fixed lower-case phrase, facts are fields; never a record's bytes, a key or a secret.
 */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A log that adds these fields to every line. */
  child(fields: Readonly<Record<string, unknown>>): Log;
}

export type Labels = Readonly<Record<string, string>>;
export interface Counter {
  add(value: number, labels?: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface MetricOptions {
  /** `lakeward_…`, unit last, counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  /** Histograms: upper bounds. */
  readonly buckets?: readonly number[];
}

/** Asking twice for a name gives the same metric. */
export interface Telemetry {
  readonly log: Log;
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions): Histogram;
  /** All metrics in Prometheus' text form. */
  exposition(): Promise<string>;
}
