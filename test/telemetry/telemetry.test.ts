import { describe, expect, test } from 'vitest';
import { silentTelemetry } from '../../src/telemetry/silent.ts';
import { createTelemetry, type LogLevel } from '../../src/telemetry/telemetry.ts';

function recorded(level: LogLevel = 'info', pretty = false) {
  const lines: string[] = [];
  const telemetry = createTelemetry({ level, pretty, destination: { write: (text) => void lines.push(text) } });
  return {
    telemetry,
    log: telemetry.log,
    lines,
    json: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('a log', () => {
  test('is one JSON object a line, with time, level, message and fields', () => {
    const { log, lines, json } = recorded();
    log.warn('disk is filling', { freeBytes: 1024 });
    expect(lines[0]).toMatch(/\}\n$/);
    expect(json()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        message: 'disk is filling',
        freeBytes: 1024,
      },
    ]);
  });

  test('leaves out what is below its level, and everything when silent', () => {
    const { log, json } = recorded('warn');
    log.debug('one');
    log.info('two');
    log.warn('three');
    log.error('four');
    expect(json().map(({ message }) => message)).toEqual(['three', 'four']);
    const silent = recorded('silent');
    silent.log.error('five');
    expect(silent.lines).toEqual([]);
  });

  test('adds the fields of a child to its lines alone', () => {
    const { log, json } = recorded();
    log.child({ delivery: 'd' }).child({ entry: 4 }).info('landed', { rows: 2 });
    log.info('up');
    expect(json()[0]).toMatchObject({ delivery: 'd', entry: 4, rows: 2 });
    expect(json()[1]).not.toHaveProperty('delivery');
  });

  test('tells an error with its code, stack and cause', () => {
    const { log, json } = recorded();
    log.error('request failed', { error: new Error('outer', { cause: new Error('inner') }) });
    expect(json()[0]?.['error']).toMatchObject({
      message: 'outer',
      stack: expect.stringContaining('telemetry.test'),
      cause: { message: 'inner' },
    });
  });

  test('is a short line for a terminal when asked', () => {
    const { log, lines } = recorded('info', true);
    log.info('server is up', { host: '127.0.0.1', note: 'two words', roles: ['ingest'] });
    expect(lines.join('')).toMatch(
      /^[\d:.]{12} info {2}server is up host=127\.0\.0\.1 note="two words" roles=\["ingest"\]\n$/,
    );
    log.error('request failed', { error: new Error('gone') });
    expect(lines.at(-1)).toMatch(/error=\n {2}Error: gone\n {6}at /);
  });
});

describe('metrics', () => {
  test('come out in the text form of Prometheus, with those of the process', async () => {
    const { telemetry } = recorded();
    telemetry
      .counter({ name: 'lakeward_ingest_records_total', help: 'Records.', labels: ['stream'] })
      .add(3, { stream: 's' });
    telemetry.gauge({ name: 'lakeward_ingest_open_connections', help: 'Connections.' }).set(7);
    telemetry.histogram({ name: 'lakeward_ingest_request_seconds', help: 'Time.', buckets: [0.1, 1] }).observe(0.5);
    const text = await telemetry.exposition();
    expect(text).toContain('lakeward_ingest_records_total{stream="s"} 3');
    expect(text).toContain('lakeward_ingest_open_connections 7');
    expect(text).toContain('lakeward_ingest_request_seconds_bucket{le="1"} 1');
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_seconds');
  });

  test('are one and the same when asked for twice', async () => {
    const { telemetry } = recorded();
    const options = { name: 'lakeward_x_total', help: 'X.' };
    telemetry.counter(options).add(1);
    telemetry.counter(options).add(2);
    expect(await telemetry.exposition()).toContain('lakeward_x_total 3');
  });

  test('refuse another kind or other labels under a name that is taken', () => {
    const { telemetry } = recorded();
    telemetry.counter({ name: 'lakeward_x_total', help: 'X.' });
    expect(() => telemetry.counter({ name: 'lakeward_x_total', help: 'X.', labels: ['a'] })).toThrow(
      'lakeward_x_total',
    );
    expect(() => telemetry.gauge({ name: 'lakeward_x_total', help: 'X.' })).toThrow('lakeward_x_total');
  });

  test('of two telemetries are apart', async () => {
    const [one, two] = [recorded().telemetry, recorded().telemetry];
    one.counter({ name: 'lakeward_x_total', help: 'X.' }).add(1);
    expect(await two.exposition()).not.toContain('lakeward_x_total');
  });
});

test('silent telemetry takes everything and tells nothing', async () => {
  const telemetry = silentTelemetry();
  telemetry.log.child({ a: 1 }).error('x');
  telemetry.counter({ name: 'n', help: 'h' }).add(1);
  telemetry.gauge({ name: 'n', help: 'h' }).set(1);
  telemetry.histogram({ name: 'n', help: 'h' }).observe(1);
  expect(await telemetry.exposition()).toBe('');
});
