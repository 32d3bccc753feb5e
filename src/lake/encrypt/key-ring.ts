/**
 * The keys of the configuration, by id. A key is 32 bytes from a file or a text, or a command that wraps and unwraps data keys and
 * never shows its own: `<command> wrap|unwrap <id>` gets the bytes as base64 on stdin and answers in base64 on stdout; any other exit
 * code than 0 is a failure, and stderr says why. A local key wraps with AES-256-GCM: nonce of 12, ciphertext of 32, tag of 16 bytes; its
 * id is the additional data. New keys are added beside old ones; a file names the key it needs.
 */
import { spawn } from 'node:child_process';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { LakewardError } from '../../model/errors.ts';
import type { LakeOffers } from '../../model/object-settings.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import { DATA_KEY_BYTES, HEADER_BYTES_MAX } from './envelope.ts';

export interface KeySource {
  readonly id: string;
  /** Where its bytes are, or the program that has it. */
  readonly from:
    | { readonly file: string }
    | { readonly text: string; readonly name: string }
    | { readonly command: readonly string[] };
}

export interface KeyRing {
  readonly keys: LakeOffers['keys'];
  /** A new key for one file. */
  dataKey(): Uint8Array;
  /** Throws `key-missing`, also for a key that is a command. */
  raw(id: string): Uint8Array;
  /** Throws `key-missing`; `lake-unavailable` when the command fails. */
  wrap(id: string, dataKey: Uint8Array, call?: CallOptions): Promise<Uint8Array>;
  /** As `wrap`; undefined when a local key says that this was not wrapped by it. */
  unwrap(id: string, wrapped: Uint8Array, call?: CallOptions): Promise<Uint8Array | undefined>;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const COMMAND_MS = 30_000;
const ANSWER_BYTES_MAX = 2 * HEADER_BYTES_MAX;
const FORMS = '32 bytes, as they are, as 64 hex digits or in base64';

/** Bytes nobody can guess, never twice the same. */
type Random = (count: number) => Uint8Array;

/** Reads every key. Throws `config-invalid` naming all that cannot be used. */
export async function openKeyRing(sources: readonly KeySource[], random: Random): Promise<KeyRing> {
  const held = new Map<string, Uint8Array | readonly string[]>();
  const problems: string[] = [];
  for (const { id, from } of sources) {
    if ('command' in from) held.set(id, from.command);
    else {
      const key = 'file' in from ? await keyInFile(from.file) : keyOf(Buffer.from(from.text));
      const where = 'file' in from ? `the file ${from.file}` : `the variable ${from.name}`;
      if (key === undefined) problems.push(`key '${id}': ${where} does not hold ${FORMS}`);
      else held.set(id, key);
    }
  }
  if (problems.length > 0) throw new LakewardError('config-invalid', `lake.keys: ${problems.join('; ')}`);
  return keyRing(held, random);
}

function keyRing(held: ReadonlyMap<string, Uint8Array | readonly string[]>, random: Random): KeyRing {
  function known(id: string): Uint8Array | readonly string[] {
    const key = held.get(id);
    if (key !== undefined) return key;
    throw new LakewardError('key-missing', `the key '${id}' is not configured here; add it to lake.keys`);
  }
  return {
    keys: [...held].map(([id, key]) => ({ id, raw: key instanceof Uint8Array })),
    dataKey: () => random(DATA_KEY_BYTES),
    raw(id) {
      const key = known(id);
      if (key instanceof Uint8Array) return key;
      throw new LakewardError('key-missing', `the key '${id}' is a command and cannot be handed to a store`);
    },
    async wrap(id, dataKey, call) {
      const key = known(id);
      if (!(key instanceof Uint8Array)) return runKeyCommand({ command: key, verb: 'wrap', id }, dataKey, call);
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      cipher.setAAD(Buffer.from(id));
      return Buffer.concat([nonce, cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]);
    },
    async unwrap(id, wrapped, call) {
      const key = known(id);
      if (!(key instanceof Uint8Array)) return runKeyCommand({ command: key, verb: 'unwrap', id }, wrapped, call);
      return unwrapLocally(key, id, wrapped);
    },
  };
}

function unwrapLocally(key: Uint8Array, id: string, wrapped: Uint8Array): Uint8Array | undefined {
  if (wrapped.length !== NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(id));
  decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG_BYTES));
  const dataKey = decipher.update(wrapped.subarray(NONCE_BYTES, wrapped.length - TAG_BYTES));
  try {
    return Buffer.concat([dataKey, decipher.final()]);
  } catch {
    return undefined;
  }
}

async function keyInFile(file: string): Promise<Uint8Array | undefined> {
  try {
    return keyOf(await readFile(file));
  } catch {
    return undefined;
  }
}

function keyOf(bytes: Buffer): Uint8Array | undefined {
  if (bytes.length === DATA_KEY_BYTES) return bytes;
  const text = bytes.toString('latin1').trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(text)) return Buffer.from(text, 'base64');
  return undefined;
}

interface KeyCommand {
  readonly command: readonly string[];
  readonly verb: 'wrap' | 'unwrap';
  readonly id: string;
}

/** Nothing of what the command is given or gives is ever told. */
async function runKeyCommand(
  { command, verb, id }: KeyCommand,
  given: Uint8Array,
  call?: CallOptions,
): Promise<Uint8Array> {
  call?.signal?.throwIfAborted();
  const [program = '', ...args] = command;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const failed = (why: string, cause?: unknown): LakewardError =>
    new LakewardError('lake-unavailable', `the command of the key '${id}' did not ${verb}: ${why}`, { cause });
  const child = spawn(program, [...args, verb, id], { timeout: COMMAND_MS, signal: call?.signal });
  let answer = '';
  let told = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (answer.length <= ANSWER_BYTES_MAX) answer += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (told.length < 500) told += text;
  });
  child.on('error', (error) =>
    reject(call?.signal?.aborted === true ? call.signal.reason : failed(error.message, error)),
  );
  child.on('close', (code) => {
    if (code === 0) resolve(answer.trim());
    else reject(failed(told.trim().slice(0, 500) || `it ended with ${code ?? `more than ${COMMAND_MS / 1000} s`}`));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(`${Buffer.from(given).toString('base64')}\n`);
  const text = await promise;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length > ANSWER_BYTES_MAX) throw failed('its answer is no base64');
  return Buffer.from(text, 'base64');
}
