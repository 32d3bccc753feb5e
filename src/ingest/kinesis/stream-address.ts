/**
 * How Kinesis calls name a stream: by name or by ARN. There is one account and one region here, so any account and region of
 * a well-formed ARN are accepted, and ours are made up.
 */
import type { LiveStream } from '../live-stream.ts';
import type { Streams } from '../streams.ts';
import { WireError } from './wire-error.ts';

const ACCOUNT = '000000000000';
const REGION = 'us-east-1';

export interface StreamAddress {
  readonly StreamName?: string | null;
  readonly StreamARN?: string | null;
}

export function arnOf(name: string): string {
  return `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${name}`;
}

/** The name of the stream meant. Throws when none is given, or when the two disagree. */
export function nameIn({ StreamName, StreamARN }: StreamAddress): string {
  const name = StreamName ?? undefined;
  const fromArn = StreamARN?.slice(StreamARN.lastIndexOf(':stream/') + ':stream/'.length);
  if (name === undefined && fromArn === undefined) {
    throw new WireError('InvalidArgumentException', 'Either StreamName or StreamARN must be given.');
  }
  if (name !== undefined && fromArn !== undefined && name !== fromArn) {
    throw new WireError('InvalidArgumentException', `StreamARN does not name the stream ${name}.`);
  }
  return name ?? fromArn ?? '';
}

export function streamIn(address: StreamAddress, streams: Streams): LiveStream {
  const name = nameIn(address);
  const stream = streams.find(name);
  if (stream === undefined) throw streamNotFound(name);
  return stream;
}

export function streamNotFound(name: string): WireError {
  return new WireError('ResourceNotFoundException', `Stream ${name} under account ${ACCOUNT} not found.`);
}
