/**
 * Logs by pino and metrics by prom-client behind the port. Logs are JSON lines (a short readable line on a terminal) with an
 * ISO time and a named level; metrics include the defaults of the process. Nothing here samples, drops or decides.
 */
import { type Logger, pino } from 'pino';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Log, MetricOptions, Telemetry } from '../ports/telemetry.ts';
import { type LogDestination, readableLines } from './readable-lines.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface TelemetryOptions {
  readonly level: LogLevel;
  /** Default: standard error. */
  readonly destination?: LogDestination;
  /** Readable lines instead of JSON. Default: when standard error is a terminal and no destination is given. */
  readonly pretty?: boolean;
}

export function createTelemetry(options: TelemetryOptions): Telemetry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const once = metricsByName();
  return {
    log: logOf(loggerFor(options)),
    counter(wanted) {
      const metric = once('counter', wanted, () => new Counter(description(wanted, registry)));
      return { add: (value, labels = {}) => metric.inc(labels, value) };
    },
    gauge(wanted) {
      const metric = once('gauge', wanted, () => new Gauge(description(wanted, registry)));
      return { set: (value, labels = {}) => metric.set(labels, value) };
    },
    histogram(wanted) {
      const buckets = wanted.buckets === undefined ? {} : { buckets: [...wanted.buckets] };
      const metric = once('histogram', wanted, () => new Histogram({ ...description(wanted, registry), ...buckets }));
      return { observe: (value, labels = {}) => metric.observe(labels, value) };
    },
    exposition: () => registry.metrics(),
  };
}

function loggerFor({ level, destination, pretty }: TelemetryOptions): Logger {
  // Written at once: a line said before a crash is a line seen.
  const stderr: LogDestination = { write: (text) => void process.stderr.write(text) };
  const out = destination ?? stderr;
  const readable = pretty ?? (destination === undefined && process.stderr.isTTY);
  return pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (name) => ({ level: name }) },
      serializers: { error: pino.stdSerializers.errWithCause },
    },
    readable ? readableLines(out) : out,
  );
}

function logOf(logger: Logger): Log {
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    child: (fields) => logOf(logger.child(fields)),
  };
}

/** Gives the metric of a name, making it the first time. Another kind or other labels under a name are a fault of the caller. */
function metricsByName() {
  const known = new Map<string, { readonly shape: string; readonly metric: object }>();
  return <M extends object>(kind: string, { name, labels = [] }: MetricOptions, make: () => M): M => {
    const shape = `${kind}(${labels.join()})`;
    const found = known.get(name) ?? { shape, metric: make() };
    known.set(name, found);
    if (found.shape !== shape) throw new Error(`metric ${name} exists as ${found.shape}, not ${shape}`);
    return found.metric as M;
  };
}

function description({ name, help, labels = [] }: MetricOptions, registry: Registry) {
  return { name, help, labelNames: [...labels], registers: [registry] };
}
