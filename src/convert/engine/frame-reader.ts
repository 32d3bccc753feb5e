/**
 * Frames from the server, read without the event loop: the engine does one thing at a time, and a blocking read straight into one
 * reused buffer spares copies and garbage. Commands come on the pipe, batches from the feed files it names. A frame is valid until the
 * next is read. The end of the pipe ends the engine.
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, unlinkSync } from 'node:fs';
import { MIB } from '../../model/limits.ts';
import { FRAME, FRAME_HEAD_BYTES, INPUT_FD, feedFile } from '../protocol.ts';

export interface Frame {
  readonly type: number;
  readonly body: Buffer;
}

export interface FrameReader {
  /** The next command or batch, or undefined when the server is gone. */
  next(): Frame | undefined;
  /** From now on feed files are kept when they were read, or not any more; those kept are removed. */
  keep(on: boolean): void;
  /** The frames of the kept feed files once more; each is valid until the next. */
  kept(): Generator<Frame>;
}

/** `taken` is called when a feed file was read to its end and its space is free. */
export function frameReader(taken: () => void): FrameReader {
  let buffer = Buffer.allocUnsafeSlow(MIB);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  /** The feed file under way, and how much of it is left. */
  let feed = -1;
  let left = 0;
  let keeps = false;
  let keptFiles: string[] = [];

  function read(fd: number): Frame | undefined {
    if (!fill(fd, head, FRAME_HEAD_BYTES)) return undefined;
    const length = head.readUInt32LE(1);
    if (length > buffer.length) buffer = Buffer.allocUnsafeSlow(Math.ceil((length * 1.25) / 8) * 8);
    if (!fill(fd, buffer, length)) return undefined;
    return { type: head.readUInt8(0), body: buffer.subarray(0, length) };
  }

  function open(name: string): void {
    feed = openSync(name, 'r');
    left = fstatSync(feed).size;
    if (!keeps) return unlinkSync(name);
    keptFiles.push(`kept-${name}`);
    renameSync(name, `kept-${name}`);
  }

  return {
    next: () => {
      while (left === 0) {
        const frame = read(INPUT_FD);
        if (frame?.type !== FRAME.feed) return frame;
        open(feedFile(frame.body.readUInt32LE()));
      }
      const frame = read(feed);
      if (frame === undefined) throw new Error('a feed file ends within a frame');
      left -= FRAME_HEAD_BYTES + frame.body.length;
      if (left === 0) {
        closeSync(feed);
        taken();
      }
      return frame;
    },
    keep: (on) => {
      keeps = on;
      for (const file of keptFiles) unlinkSync(file);
      keptFiles = [];
    },
    *kept() {
      for (const file of keptFiles) {
        const fd = openSync(file, 'r');
        try {
          for (let rest = fstatSync(fd).size; rest > 0; ) {
            const frame = read(fd);
            if (frame === undefined) throw new Error('a feed file ends within a frame');
            rest -= FRAME_HEAD_BYTES + frame.body.length;
            yield frame;
          }
        } finally {
          closeSync(fd);
        }
      }
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
