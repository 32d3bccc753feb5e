/**
 * Which partition key a record of the plain HTTP form gets: one for the whole request (header or query), the value of a field of
 * each record, or, when nothing is asked for, a key of its own for every record, which spreads them over all shards.
 */
import { LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';

/** Gives the key of a record, or undefined when the record has none to give. */
export interface KeyRule {
  keyOf(record: unknown, index: number): string | undefined;
  /** Whether `keyOf` looks at the record. */
  readonly readsRecord: boolean;
  /** Longest key in bytes, for sizing. */
  readonly bytesMax: number;
  /** What to tell when `keyOf` gives none. */
  readonly lack: string;
}

export interface KeySource {
  readonly header: string | undefined;
  readonly query: string | undefined;
  readonly field: string | undefined;
  /** Unique for this request. */
  readonly seed: string;
}

/** Throws `argument-invalid` for several sources at once, or a key that is none. */
export function keyRule({ header, query, field, seed }: KeySource): KeyRule {
  if ([header, query, field].filter((source) => source !== undefined).length > 1) {
    const names = 'the header x-partition-key, the parameter partitionKey and the parameter partitionKeyField';
    throw new LakewardError('argument-invalid', `give one of ${names}, not several`);
  }
  const fixed = header ?? query;
  if (fixed !== undefined) return fixedRule(fixed);
  if (field !== undefined) return fieldRule(field);
  return {
    keyOf: (_, index) => `${seed}-${index.toString(36)}`,
    readsRecord: false,
    bytesMax: seed.length + 1 + LIMITS.httpRecordsMax.toString(36).length,
    lack: '',
  };
}

function fixedRule(key: string): KeyRule {
  if (!isKey(key)) {
    const rule = `a partition key has 1 to ${LIMITS.partitionKeyCharsMax} characters`;
    throw new LakewardError('argument-invalid', `${rule}, this one has ${key.length}`);
  }
  return { keyOf: () => key, readsRecord: false, bytesMax: new TextEncoder().encode(key).length, lack: '' };
}

function fieldRule(field: string): KeyRule {
  const path = field.split('.');
  if (field.length > 1024 || path.includes('')) {
    throw new LakewardError('argument-invalid', 'partitionKeyField must be a field, or a path of fields such as a.b');
  }
  return {
    keyOf: (record) => {
      let value = record;
      for (const name of path) {
        if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
        value = (value as Record<string, unknown>)[name];
      }
      if (typeof value === 'number' || typeof value === 'boolean') return String(value);
      return typeof value === 'string' && isKey(value) ? value : undefined;
    },
    readsRecord: true,
    bytesMax: LIMITS.partitionKeyCharsMax * 3,
    lack: `the field ${field} is no text of 1 to ${LIMITS.partitionKeyCharsMax} characters, number or boolean`,
  };
}

function isKey(text: string): boolean {
  return text.length >= 1 && text.length <= LIMITS.partitionKeyCharsMax && text.isWellFormed();
}
