/**
 * Frames from the server's pipe, read without the event loop: the engine does one thing at a time, and a blocking read straight
 * into one reused buffer spares copies and garbage. A frame is valid until the next is read. The end of the pipe ends the engine.
 */
import { readSync } from 'node:fs';
import { MIB } from '../../model/limits.ts';
import { FRAME_HEAD_BYTES, INPUT_FD } from '../protocol.ts';

export interface Frame {
  readonly type: number;
  readonly body: Buffer;
}

export interface FrameReader {
  /** The next frame, or undefined when the server is gone. */
  next(): Frame | undefined;
}

export function frameReader(): FrameReader {
  let buffer = Buffer.allocUnsafeSlow(MIB);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);

  return {
    next: () => {
      if (!fill(head, FRAME_HEAD_BYTES)) return undefined;
      const length = head.readUInt32LE(1);
      if (length > buffer.length) buffer = Buffer.allocUnsafeSlow(Math.ceil((length * 1.25) / 8) * 8);
      if (!fill(buffer, length)) return undefined;
      return { type: head.readUInt8(0), body: buffer.subarray(0, length) };
    },
  };
}

function fill(target: Buffer, length: number): boolean {
  for (let done = 0; done < length; ) {
    const read = readSync(INPUT_FD, target, done, length - done, null);
    if (read === 0) return false;
    done += read;
  }
  return true;
}
