import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openDoor } from './open-door.ts';

const python = process.env['LAKEWARD_PYTHON'];
const script = fileURLToPath(new URL('boto3-client.py', import.meta.url));

/** Where checks must be whole, a missing Python is a failure and no reason to skip. */
const isSkipped = python === undefined && process.env['CI'] !== 'true';
const title = isSkipped
  ? 'boto3 puts and reads (skipped: LAKEWARD_PYTHON names no Python that has boto3)'
  : 'boto3 puts and reads, signing with a configured key';

test.skipIf(isSkipped)(title, { timeout: 60_000 }, async () => {
  if (python === undefined) throw new Error('LAKEWARD_PYTHON must name a Python that has boto3');
  await using door = await openDoor({ keys: [{ id: 'AKIDPYTHON', secret: 'of/the+test' }] });
  // Signatures carry the time of day, and the clock of the door stands.
  const { stdout } = await promisify(execFile)(python, [script, door.url, 'AKIDPYTHON', 'of/the+test']);
  const { failed, seen, error, presigned } = JSON.parse(stdout) as Record<string, unknown>;
  expect(failed).toBe(0);
  expect(seen).toEqual(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`schlüssel-${i}`, [i, 255]])));
  expect(error).toBe('ResourceNotFoundException');
  // A presigned call has its signature in the query and none in a header; boto3 signs it for an empty body.
  const call = (url: string): Promise<Response> =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'Kinesis_20131202.ListStreams' },
      body: '',
    });
  const answer = await call(String(presigned));
  expect(await answer.json()).toMatchObject({ StreamNames: [] });
  const forged = await call(
    String(presigned).replace(/(?<=X-Amz-Signature=)./, (digit) => (digit === '0' ? '1' : '0')),
  );
  expect(await forged.json()).toMatchObject({ __type: 'InvalidSignatureException' });
});
