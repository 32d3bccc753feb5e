/**
 * Bounds the bytes of request bodies that the process holds at once. A request takes its bytes before they are read and gives
 * them back when it is answered; one that does not fit is refused at once, so that load is shed before it costs memory.
 */
import type { Buffer } from 'node:buffer';
import { LakewardError } from '../../model/errors.ts';
import type { Gauge } from '../../ports/telemetry.ts';
import { bufferPool } from './buffer-pool.ts';

/** What one request holds. */
export interface Reservation {
  /** Takes more. Throws `broker-overloaded` when it does not fit. */
  add(bytes: number): void;
  /** Memory for bytes that were added, or are made of them; anything may be in it. It is another request's after the release. */
  readonly memory: (bytes: number) => Buffer;
  /** Gives everything back. Idempotent. */
  release(): void;
}

export interface Admission {
  reserve(): Reservation;
  readonly heldBytes: number;
}

export function bytesInFlight(bytesMax: number, gauge: Gauge): Admission {
  let held = 0;
  const pool = bufferPool();
  const move = (bytes: number): void => {
    held += bytes;
    gauge.set(held);
  };
  return {
    get heldBytes() {
      return held;
    },
    reserve() {
      let mine = 0;
      const buffers: Buffer[] = [];
      return {
        add(bytes) {
          if (held + bytes > bytesMax) {
            throw new LakewardError('broker-overloaded', 'too many bytes are waiting to be stored; slow down');
          }
          mine += bytes;
          move(bytes);
        },
        memory(bytes) {
          const buffer = pool.take(bytes);
          buffers.push(buffer);
          return buffer;
        },
        release() {
          if (mine > 0) move(-mine);
          mine = 0;
          for (const buffer of buffers.splice(0)) pool.give(buffer);
        },
      };
    },
  };
}
