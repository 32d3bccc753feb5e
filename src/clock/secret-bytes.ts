/** Random bytes fit for keys: from the operating system, never from a seed. */
import { randomBytes } from 'node:crypto';

export type SecretBytes = (count: number) => Uint8Array;

export const secretBytes: SecretBytes = (count) => randomBytes(count);
