/**
 * What an action of the Kinesis wire is: its name, the shape of its input, and what it does. One file an action; `actions.ts` lists
 * them. An action sees a checked input and never the transport.
 */
import type { Buffer } from 'node:buffer';
import type { Broker } from '../../ports/broker.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Memory } from '../batch-writer.ts';
import type { IngestMetrics } from '../ingest-metrics.ts';
import type { Streams } from '../streams.ts';
import type { StructureShape } from './shape.ts';

export interface ActionContext {
  readonly streams: Streams;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly metrics: IngestMetrics;
  readonly requestId: string;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** Memory until the request is answered. */
  readonly memory: Memory;
}

/** JSON as text or bytes, or a value to be made such; undefined answers with an empty body. */
export type ActionResult = string | Uint8Array | object | undefined;

export interface Action {
  readonly name: string;
  readonly input: StructureShape;
  /** Largest body; actions that carry no records need little. */
  readonly bodyBytesMax: number;
  /** Checks an input in its own way where the general one is too slow; it must come to the same result. */
  readonly check?: (input: unknown) => void;
  /**
   * Acts on a body in the form that most clients send, without parsing all of JSON. Undefined when it is in any other, or when
   * anything is wrong with it: then the general way comes to its own end. Where this acts, it acts as the general way would.
   */
  readonly runPlain?: (body: Buffer, context: ActionContext) => Promise<ActionResult> | undefined;
  /** Throws WireError or LakewardError. */
  run(input: unknown, context: ActionContext): Promise<ActionResult> | ActionResult;
}

/** Body bound of actions without records: as long as the longest token, and some. */
const CONTROL_BODY_BYTES_MAX = 2 * 1024 * 1024;

/** `run` names the type its input has once it was checked against the shape; the two agree by hand. */
export function defineAction(action: {
  readonly name: string;
  readonly input: StructureShape;
  readonly bodyBytesMax?: number;
  readonly check?: (input: unknown) => void;
  readonly runPlain?: (body: Buffer, context: ActionContext) => Promise<ActionResult> | undefined;
  readonly run: (input: never, context: ActionContext) => Promise<ActionResult> | ActionResult;
}): Action {
  return {
    ...action,
    bodyBytesMax: action.bodyBytesMax ?? CONTROL_BODY_BYTES_MAX,
    run: (input, context) => action.run(input as never, context),
  };
}
