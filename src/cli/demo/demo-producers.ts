/**
 * The two ways in, as a producer without any library would use them: plain HTTP with NDJSON, and PutRecords of the Kinesis wire
 * protocol (JSON 1.1). Both insist on every record: a refused one is a failure of the demo.
 */
import type { PutAnswer } from '../../app/control-answers.ts';
import { LakewardError } from '../../model/errors.ts';
import type { ControlClient } from '../control-client.ts';
import { errorOf } from '../control-client.ts';

export async function putByHttp(
  client: ControlClient,
  stream: string,
  records: { readonly lines: readonly string[]; readonly keyField: string },
): Promise<void> {
  const answer = await client.exchange('POST', `/v1/streams/${stream}/records?partitionKeyField=${records.keyField}`, {
    headers: { 'content-type': 'application/x-ndjson', prefer: 'return=minimal' },
    body: `${records.lines.join('\n')}\n`,
  });
  if (answer.status >= 400) throw errorOf(answer);
  const { accepted, failed } = answer.json as PutAnswer;
  if (accepted !== records.lines.length || failed !== 0) throw refused(stream, records.lines.length - accepted);
}

export interface KinesisRecord {
  readonly key: string;
  readonly data: Uint8Array;
}

export async function putByKinesis(
  client: ControlClient,
  stream: string,
  records: readonly KinesisRecord[],
): Promise<void> {
  const answer = await client.exchange('POST', '/', {
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Kinesis_20131202.PutRecords',
      // The form of a signature; it is checked only when the server has keys.
      authorization:
        'AWS4-HMAC-SHA256 Credential=demo/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
      'x-amz-date': '20260101T000000Z',
    },
    body: JSON.stringify({
      StreamName: stream,
      Records: records.map(({ key, data }) => ({ PartitionKey: key, Data: Buffer.from(data).toString('base64') })),
    }),
  });
  if (answer.status !== 200) {
    throw new LakewardError('internal', `PutRecords answered ${answer.status}: ${JSON.stringify(answer.json)}`);
  }
  const { FailedRecordCount: failed } = answer.json as { FailedRecordCount: number };
  if (failed !== 0) throw refused(stream, failed);
}

function refused(stream: string, records: number): LakewardError {
  return new LakewardError('internal', `${records} records for ${stream} were refused`);
}
