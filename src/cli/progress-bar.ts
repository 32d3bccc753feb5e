/**
 * One moving line on stderr: label, bar, count, rate. It redraws at most ten times a second and leaves a clean line behind; off
 * a terminal it draws nothing at all.
 */
import { count, size } from './wording.ts';

const REDRAW_MS = 100;
const BAR_CHARS = 24;

export interface Progress {
  /** Sets what is done so far; `bytes` adds a byte rate, `part` (0 to 1) the share of the whole, `note` a word at the end. */
  set(done: number, more?: { readonly bytes?: number; readonly part?: number; readonly note?: string }): void;
  /** Removes the line. Idempotent. */
  end(): void;
}

interface ProgressOptions {
  readonly sink: { write(text: string): unknown; readonly columns?: number };
  readonly label: string;
  readonly total: number | undefined;
  readonly live: boolean;
  readonly monotonicMs: () => number;
}

export function createProgress({ sink, label, total, live, monotonicMs }: ProgressOptions): Progress {
  const startedMs = monotonicMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  let drawn = false;
  return {
    set(done, more = {}) {
      const nowMs = monotonicMs();
      if (!live || (nowMs - drawnMs < REDRAW_MS && done !== total)) return;
      drawnMs = nowMs;
      drawn = true;
      const seconds = Math.max((nowMs - startedMs) / 1000, 0.001);
      const share = more.part ?? (total === undefined || total === 0 ? undefined : Math.min(done / total, 1));
      const parts = [label, bar(share), total === undefined ? count(done) : `${count(done)}/${count(total)}`];
      if (share !== undefined) parts.splice(2, 0, `${Math.floor(share * 100)} %`);
      parts.push(`${count(Math.round(done / seconds))}/s`);
      if (more.bytes !== undefined) parts.push(`${size(more.bytes / seconds)}/s`);
      if (more.note !== undefined) parts.push(more.note);
      const text = parts.filter((part) => part !== '').join('  ');
      sink.write(`\r\u001b[2K${text.slice(0, (sink.columns ?? 100) - 1)}`);
    },
    end() {
      if (drawn) sink.write('\r\u001b[2K');
      drawn = false;
    },
  };
}

function bar(share: number | undefined): string {
  if (share === undefined) return '';
  const full = Math.round(share * BAR_CHARS);
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CHARS - full)}`;
}
