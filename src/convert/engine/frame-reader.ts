/**
 * Frames from the server, read without the event loop: the engine does one thing at a time, and a blocking read straight into one
 * reused buffer spares copies and garbage. Commands come on the pipe, batches from the feed file it points to. A frame is valid until
 * the next is read. The end of the pipe ends the engine.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { MIB } from '../../model/limits.ts';
import { FEED_FILE, FRAME, FRAME_HEAD_BYTES, INPUT_FD } from '../protocol.ts';

export interface Frame {
  readonly type: number;
  readonly body: Buffer;
}

export interface FrameReader {
  /** The next command or batch, or undefined when the server is gone. */
  next(): Frame | undefined;
}

export function frameReader(): FrameReader {
  let buffer = Buffer.allocUnsafeSlow(MIB);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  /** The feed file of the command under way, and how much of it is there to read. */
  let feed: number | undefined;
  let fed = 0;

  function read(fd: number): Frame | undefined {
    if (!fill(fd, head, FRAME_HEAD_BYTES)) return undefined;
    const length = head.readUInt32LE(1);
    if (length > buffer.length) buffer = Buffer.allocUnsafeSlow(Math.ceil((length * 1.25) / 8) * 8);
    if (!fill(fd, buffer, length)) return undefined;
    return { type: head.readUInt8(0), body: buffer.subarray(0, length) };
  }

  return {
    next: () => {
      while (fed === 0) {
        const frame = read(INPUT_FD);
        if (frame?.type === FRAME.feed) {
          fed = frame.body.readUInt32LE();
          feed ??= openSync(FEED_FILE, 'r');
          continue;
        }
        // The next command has a new file.
        if (feed !== undefined) closeSync(feed);
        feed = undefined;
        return frame;
      }
      const frame = read(feed as number);
      if (frame === undefined) throw new Error('the feed file is shorter than told');
      fed -= FRAME_HEAD_BYTES + frame.body.length;
      return frame;
    },
  };
}

function fill(fd: number, target: Buffer, length: number): boolean {
  for (let done = 0; done < length; ) {
    const read = readSync(fd, target, done, length - done, null);
    if (read === 0) return false;
    done += read;
  }
  return true;
}
