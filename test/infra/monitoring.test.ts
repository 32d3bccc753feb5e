/** Dashboard, alerts and what Prometheus collects: every metric and label they name exists, and every alert says what to do. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { deliveryMetrics } from '../../src/delivery/metrics.ts';
import { createTelemetry } from '../../src/telemetry/telemetry.ts';
import { type RegisteredMetric, registeredMetrics } from './registered-metrics.ts';

const read = (path: string): string => readFileSync(new URL(`../../infra/${path}`, import.meta.url), 'utf8');

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string }[];
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

const dashboard = JSON.parse(read('grafana/dashboards/lakeward.json')) as { uid: string; panels: readonly Panel[] };
const { groups } = parse(read('prometheus/alerts.yml')) as { groups: readonly { rules: readonly Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
  ...rules.map(({ alert, expr }) => ({ where: alert, expr })),
];
/** Given by Prometheus to what it collects. */
const SCRAPED = ['instance', 'job', 'role', 'le'];

let registered: ReadonlyMap<string, RegisteredMetric>;
let ofNode: string;
beforeAll(async () => {
  registered = await registeredMetrics();
  ofNode = await createTelemetry({ level: 'silent' }).exposition();
});

/** Names as Prometheus has them: a histogram is three. */
function metricOf(name: string): RegisteredMetric | undefined {
  const [, base = name, part] = /^(.*?)(_bucket|_sum|_count)?$/.exec(name) ?? [];
  const metric = registered.get(base);
  if (metric !== undefined) return (metric.type === 'histogram') === (part !== undefined) ? metric : undefined;
  return new RegExp(`^# TYPE ${name} `, 'm').test(ofNode) ? { type: 'gauge', labels: [] } : undefined;
}

/** What is wrong with an expression. */
function complaints(expr: string): string[] {
  const names = [...expr.matchAll(/\b(?:lakeward|process|nodejs)_\w+/g)].map(([name]) => name);
  const unknown = names.filter((name) => metricOf(name) === undefined);
  const labels = new Set([...names.flatMap((name) => metricOf(name)?.labels ?? []), ...SCRAPED]);
  const grouped = [...expr.matchAll(/\b(?:by|ignoring|on) \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
  const matched = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label = '']) => label);
  const counters = names.filter((name) => metricOf(name)?.type === 'counter' && registered.has(name));
  const bare = counters.filter((name) => !new RegExp(`(rate|increase)\\(${name}`).test(expr));
  return [
    ...unknown.map((name) => `${name} is no metric`),
    ...[...grouped, ...matched].filter((label) => !labels.has(label)).map((label) => `no metric has ${label}`),
    ...bare.map((name) => `${name} is a counter without a rate`),
    ...(names.length === 0 && !expr.includes('up{') ? ['it names no metric'] : []),
    ...(expr.split('(').length === expr.split(')').length ? [] : ['its brackets do not match']),
  ];
}

describe('the dashboard and the alerts', () => {
  test('name metrics and labels that the program has', () => {
    expect(expressions.length).toBeGreaterThan(50);
    const wrong = expressions.flatMap(({ where, expr }) => complaints(expr).map((told) => `${where}: ${told}`));
    expect(wrong).toEqual([]);
  });

  test('are judged by a rule that finds what is wrong', () => {
    expect(complaints('rate(lakeward_ingest_record_total[5m])')).toEqual(['lakeward_ingest_record_total is no metric']);
    expect(complaints('sum by (shard) (lakeward_delivery_working)')).toEqual(['no metric has shard']);
    expect(complaints('max(lakeward_delivery_landing_seconds)')).toHaveLength(1);
    expect(complaints('lakeward_delivery_rows_total{delivery="d"}')).toHaveLength(1);
  });
});

describe('the dashboard', () => {
  test('shows what an operator asks for', () => {
    const shown = expressions.map(({ expr }) => expr).join('\n');
    for (const name of [
      'lakeward_ingest_records_total',
      'lakeward_ingest_acknowledge_seconds_bucket',
      'lakeward_delivery_lag_seconds',
      'lakeward_delivery_oldest_pending_seconds',
      'lakeward_delivery_files_total',
      'lakeward_delivery_bytes_total',
      'lakeward_delivery_rejected_rows_total',
      'lakeward_compaction_runs_total',
    ])
      expect(shown).toContain(name);
  });

  test('has panels with names and numbers of their own, none over another, all of the source that is provisioned', () => {
    const { datasources } = parse(read('grafana/provisioning/datasources/prometheus.yml')) as {
      datasources: readonly { uid: string; url: string }[];
    };
    const charts = dashboard.panels.filter(({ type }) => type !== 'row');
    expect(new Set(charts.map((panel) => panel.datasource?.uid))).toEqual(new Set([datasources[0]?.uid]));
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });
});

describe('an alert', () => {
  test('sees the first records that are lost: the series it watches is there before', async () => {
    const telemetry = createTelemetry({ level: 'silent' });
    deliveryMetrics(telemetry, 'd');
    expect(await telemetry.exposition()).toContain('lakeward_delivery_lost_offsets_total{delivery="d"} 0');
  });

  test('has a name of its own, a severity, a summary, and a runbook with what to do', () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, labels, annotations } of rules) {
      expect(alert).toMatch(/^Lakeward[A-Z]\w+$/);
      expect(['page', 'ticket']).toContain(labels.severity);
      expect(annotations.summary.length).toBeGreaterThan(20);
      expect(annotations.runbook.length).toBeGreaterThan(80);
    }
  });

  test('names commands that exist in its runbook', async () => {
    const { COMMANDS } = await import('../../src/cli/commands.ts');
    const known = COMMANDS.map(({ name }) => name);
    const shown = rules.flatMap(({ annotations: { runbook } }) =>
      [...runbook.matchAll(/`lakeward ([a-z]+(?: [a-z]+)?)/g)].map(([, words = '']) => words),
    );
    expect(shown.length).toBeGreaterThan(5);
    expect(shown.filter((words) => !known.includes(words))).toEqual([]);
  });
});
