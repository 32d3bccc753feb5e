/** Takes what a delivery tells of its partitions to whoever waits for it. `app/` makes it of an HTTP client and the streams of this server. */
import type { NotifyTarget } from '../model/delivery.ts';
import type { CallOptions } from './call-options.ts';

export interface Notice {
  /** Of this event alone, the same whenever it is sent again. */
  readonly id: string;
  readonly event: 'complete' | 'reopened';
  readonly delivery: string;
  readonly stream: string;
  readonly partition: string;
  /** Number of the landing that did it. */
  readonly entry: number;
  /** Of the partition, with this landing. */
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Of a reopened one: rows of this landing that came late. */
  readonly lateRows?: number;
  /** Rows that are gone by it: the lake lost them, and an operator gave them up. */
  readonly lostRows?: number;
  /** End of the partition's time, ISO-8601. */
  readonly closedAt: string;
}

export interface Notifier {
  /**
   * Resolves when the receiver has taken all of them, in this order. Throws `notify-failed`, and `stream-not-found` for a stream that is not
   * there; it may have got them all the same.
   */
  send(to: NotifyTarget, notices: readonly Notice[], options?: CallOptions): Promise<void>;
}
