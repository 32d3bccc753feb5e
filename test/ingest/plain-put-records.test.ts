import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AppendBatch } from '../../src/model/record-batch.ts';
import type { ShardDocument } from '../../src/model/stream.ts';
import { shardRouter, splitEvenly } from '../../src/model/hash-range.ts';
import { parseJsonBody } from '../../src/ingest/kinesis/json-body.ts';
import { readPlainPutRecords } from '../../src/ingest/kinesis/plain-put-records.ts';
import { putRecords } from '../../src/ingest/kinesis/put-records.ts';
import type { WireRecord } from '../../src/ingest/kinesis/record-intake.ts';
import { gatherRecords } from '../../src/ingest/kinesis/record-intake.ts';

const shards: ShardDocument[] = splitEvenly(7).map(({ start, end }, index) => ({
  index,
  startingHashKey: String(start),
  endingHashKey: String(end),
  createdMs: 0,
  parents: [],
}));
const router = shardRouter(shards);

interface Taken {
  readonly streamName: string;
  readonly batch: AppendBatch;
}

/** As the wire takes a body in the general way; undefined when it refuses it, for whatever reason. */
function takenBySlowWay(body: Buffer): Taken | undefined {
  try {
    const input = parseJsonBody(body) as { StreamName: string; Records: WireRecord[] };
    putRecords.check?.(input);
    const options = { nameOf: String, memory: (bytes: number) => Buffer.alloc(bytes) };
    return { streamName: input.StreamName, batch: gatherRecords(input.Records, options).finish(router, 7) };
  } catch {
    return undefined;
  }
}

function takenPlain(text: string | Buffer): Taken | undefined {
  const body = Buffer.from(text);
  const plain = readPlainPutRecords(body, (bytes) => Buffer.alloc(bytes, 0x55));
  return plain && { streamName: plain.streamName, batch: plain.writer.finish(router, 7) };
}

const plainText = fc.stringMatching(/^[ !#-[\]-~]{1,70}$/);
const bytes = fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 20, maxLength: 20 }));
const blanks = fc.stringMatching(/^[ \n\r\t]{0,3}$/);

/** Members in any order, with blanks between all tokens. */
function members(parts: [string, string][], blank: string, isTurned: boolean): string {
  const texts = parts.map(([name, value]) => `${blank}"${name}"${blank}:${blank}${value}${blank}`);
  if (isTurned) texts.reverse();
  return `{${texts.join(',')}}`;
}

const record = fc
  .tuple(bytes, plainText, fc.boolean())
  .map(([data, key, isTurned]) => ({ data: Buffer.from(data).toString('base64'), key, isTurned }));
const plainBody = fc
  .tuple(fc.stringMatching(/^[\w.-]{1,128}$/), fc.array(record, { minLength: 1, maxLength: 8 }), blanks, fc.boolean())
  .map(([name, records, blank, isTurned]) => {
    const list = records.map(({ data, key, isTurned: turned }) =>
      members(
        [
          ['Data', `"${data}"`],
          ['PartitionKey', `"${key}"`],
        ],
        blank,
        turned,
      ),
    );
    const value = `[${blank}${list.join(`${blank},${blank}`)}${blank}]`;
    return (
      blank +
      members(
        [
          ['StreamName', `"${name}"`],
          ['Records', value],
        ],
        blank,
        isTurned,
      ) +
      blank
    );
  });

describe('a plain PutRecords body', () => {
  test('comes to the batch that the general way makes of it', () => {
    fc.assert(
      fc.property(plainBody, (text) => {
        const taken = takenPlain(text);
        expect(taken).toBeDefined();
        expect(taken).toEqual(takenBySlowWay(Buffer.from(text)));
      }),
      { numRuns: 500 },
    );
  });

  test('with any bytes changed, left out or put in is not plain, or still comes to the same as in the general way', () => {
    const pieces = [
      '"',
      '\\',
      '\\u0041',
      '\\/',
      '=',
      '-',
      '_',
      ',',
      '{',
      '}',
      '[',
      ']',
      ':',
      '\0',
      '\x7f',
      'é',
      'null',
      '0',
      'A',
    ];
    const edit = fc.record({ at: fc.nat(), drop: fc.nat({ max: 3 }), put: fc.constantFrom('', ...pieces) });
    let plain = 0;
    fc.assert(
      fc.property(plainBody, fc.array(edit, { minLength: 1, maxLength: 2 }), (text, edits) => {
        let body = Buffer.from(text);
        for (const { at, drop, put } of edits) {
          const from = at % body.length;
          body = Buffer.concat([body.subarray(0, from), Buffer.from(put), body.subarray(from + drop)]);
        }
        const taken = takenPlain(body);
        if (taken === undefined) return;
        plain++;
        expect(taken).toEqual(takenBySlowWay(body));
      }),
      { numRuns: 5000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  test.each([
    ['a member twice', '{"StreamName":"s","StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}]}'],
    ['another member', '{"StreamName":"s","StreamId":"s","Records":[{"Data":"","PartitionKey":"k"}]}'],
    ['a hash key', '{"StreamName":"s","Records":[{"Data":"","PartitionKey":"k","ExplicitHashKey":"1"}]}'],
    ['an escape', '{"StreamName":"s","Records":[{"Data":"","PartitionKey":"\\u0041"}]}'],
    ['a key beyond ASCII', '{"StreamName":"s","Records":[{"Data":"","PartitionKey":"é"}]}'],
    ['no key', '{"StreamName":"s","Records":[{"Data":""}]}'],
    ['an empty key', '{"StreamName":"s","Records":[{"Data":"","PartitionKey":""}]}'],
    ['no records', '{"StreamName":"s","Records":[]}'],
    ['no stream', '{"Records":[{"Data":"","PartitionKey":"k"}]}'],
    ['data that is not base64', '{"StreamName":"s","Records":[{"Data":"A","PartitionKey":"k"}]}'],
    ['something behind it', '{"StreamName":"s","Records":[{"Data":"","PartitionKey":"k"}]} x'],
    ['nothing', ''],
  ])('is not one with %s', (_, text) => {
    expect(takenPlain(text)).toBeUndefined();
  });

  test.each([
    ['500 records and no more', 500, 'AAAA', 'k'],
    ['keys of 256 characters and no more', 256, 'AAAA', 'k'.repeat(256)],
  ])('holds %s', (what, count, data, key) => {
    const body = (records: number, text: string): string =>
      JSON.stringify({
        StreamName: 's',
        Records: Array.from({ length: records }, () => ({ Data: data, PartitionKey: text })),
      });
    expect(takenPlain(body(count, key))).toEqual(takenBySlowWay(Buffer.from(body(count, key))));
    expect(takenPlain(what.startsWith('500') ? body(501, key) : body(1, `${key}k`))).toBeUndefined();
  });
});
