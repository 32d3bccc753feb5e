/**
 * Memory of requests, used again. A body, and the batch made of it, are hundreds of kilobytes that live for milliseconds: made anew
 * for each request they keep the collector and the page tables busier than the records do. Sizes are powers of two; what lies
 * idle is bounded, and what is larger than the largest size is not kept.
 */
import { Buffer } from 'node:buffer';
import { MIB } from '../../model/limits.ts';

const SIZE_MIN_LOG = 12;
const SIZES = 13;
const IDLE_BYTES_MAX = 16 * MIB;

export interface BufferPool {
  /** At least so many bytes, with anything in them. */
  take(bytes: number): Buffer;
  /** Gives back what `take` gave; nobody may use it any more. */
  give(buffer: Buffer): void;
}

export function bufferPool(): BufferPool {
  const idle: Buffer[][] = Array.from({ length: SIZES }, () => []);
  let idleBytes = 0;
  return {
    take(bytes) {
      const size = sizeFor(bytes);
      const kept = idle[size]?.pop();
      if (kept === undefined) return Buffer.allocUnsafeSlow(size < SIZES ? bytesOf(size) : bytes);
      idleBytes -= kept.length;
      return kept;
    },
    give(buffer) {
      const size = sizeFor(buffer.length);
      if (size >= SIZES || idleBytes + buffer.length > IDLE_BYTES_MAX) return;
      idle[size]?.push(buffer);
      idleBytes += buffer.length;
    },
  };
}

function sizeFor(bytes: number): number {
  return Math.max(0, 32 - Math.clz32(Math.max(1, bytes) - 1) - SIZE_MIN_LOG);
}

function bytesOf(size: number): number {
  return 2 ** (size + SIZE_MIN_LOG);
}
