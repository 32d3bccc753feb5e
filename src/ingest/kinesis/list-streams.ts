/** ListStreams: names in order, in pages; the token of the next page is the last name of this one. */
import { Buffer } from 'node:buffer';
import { isName } from '../../model/stream.ts';
import { defineAction } from './action.ts';
import { STREAM_NAME, TOKEN } from './shape.ts';
import { arnOf } from './stream-address.ts';
import { WireError } from './wire-error.ts';

interface ListStreamsInput {
  readonly Limit?: number | null;
  readonly ExclusiveStartStreamName?: string | null;
  readonly NextToken?: string | null;
}

const PAGE = 100;

export const listStreams = defineAction({
  name: 'ListStreams',
  input: {
    kind: 'structure',
    members: {
      Limit: { kind: 'integer', min: 1, max: 10_000 },
      ExclusiveStartStreamName: STREAM_NAME,
      NextToken: TOKEN,
    },
  },
  run: (input: ListStreamsInput, { streams }) => {
    const after =
      typeof input.NextToken === 'string' ? nameIn(input.NextToken) : (input.ExclusiveStartStreamName ?? '');
    const found = streams.list().filter(({ name }) => name > after);
    const page = found.slice(0, input.Limit ?? PAGE);
    const last = page.at(-1);
    const hasMore = last !== undefined && page.length < found.length;
    return {
      StreamNames: page.map(({ name }) => name),
      HasMoreStreams: hasMore,
      ...(hasMore && { NextToken: Buffer.from(last.name).toString('base64url') }),
      StreamSummaries: page.map(({ name, createdMs }) => ({
        StreamName: name,
        StreamARN: arnOf(name),
        StreamStatus: 'ACTIVE',
        StreamModeDetails: { StreamMode: 'PROVISIONED' },
        StreamCreationTimestamp: createdMs / 1000,
      })),
    };
  },
});

function nameIn(token: string): string {
  const name = Buffer.from(token, 'base64url').toString();
  if (!isName(name)) throw new WireError('InvalidArgumentException', 'Invalid NextToken.');
  return name;
}
