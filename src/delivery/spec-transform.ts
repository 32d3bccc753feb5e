/**
 * The transform of a specification: its shape. What its expressions mean is for the converter to judge, when the delivery is made and
 * when it meets columns; that is here too, for every way a delivery comes about.
 */
import type { ColumnPlan, Transform } from '../model/column-plan.ts';
import { EXTRA_COLUMN } from '../model/column-plan.ts';
import type { DataFormat, DeliverySpec } from '../model/delivery.ts';
import { LakewardError, isLakewardError } from '../model/errors.ts';
import { LIMITS } from '../model/limits.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Converter } from '../ports/converter.ts';
import type { SpecReader } from './spec-fields.ts';
import { isObject } from './spec-fields.ts';

const EXPRESSION = {
  accepted: `an SQL expression of up to ${LIMITS.expressionCharsMax} characters`,
  test: (text: string) => text.trim() !== '' && text.length <= LIMITS.expressionCharsMax,
};
const COLUMN_ACCEPTED = `1-128 characters, none of them a control character, and not ${EXTRA_COLUMN}`;
const NAMES_ACCEPTED = 'a list of names of columns';

/** An empty one is none. */
export function readTransform(
  read: SpecReader,
  format: DataFormat,
  value: unknown,
): { readonly transform?: Transform } {
  if (value === undefined) return {};
  const given = read.object('transform', value, ['where', 'columns', 'keep', 'drop']) ?? {};
  if (format === 'raw') read.fault({ path: 'transform', value, accepted: 'no transform with format raw' }, undefined);
  if (given['keep'] !== undefined && given['drop'] !== undefined)
    read.fault({ path: 'transform.keep', value: given['keep'], accepted: 'either keep or drop' }, undefined);
  const transform = {
    ...(given['where'] === undefined ? {} : { where: read.text('transform.where', given['where'], EXPRESSION) }),
    ...(given['columns'] === undefined ? {} : { columns: readColumns(read, given['columns']) }),
    ...(given['keep'] === undefined ? {} : { keep: readNames(read, 'transform.keep', given['keep']) }),
    ...(given['drop'] === undefined ? {} : { drop: readNames(read, 'transform.drop', given['drop']) }),
  };
  return Object.keys(transform).length === 0 ? {} : { transform };
}

function readColumns(read: SpecReader, value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) {
    return read.fault({ path: 'transform.columns', value, accepted: 'an object of names and SQL expressions' }, {});
  }
  const seen = new Set<string>();
  const columns = Object.entries(value).map(([name, text]) => {
    const path = `transform.columns.${name}`;
    const folded = name.toLowerCase();
    if (name === '' || name.length > 128 || /\p{Cc}/u.test(name) || folded === EXTRA_COLUMN)
      read.fault({ path, value: name, accepted: COLUMN_ACCEPTED }, undefined);
    if (seen.has(folded)) read.fault({ path, value: name, accepted: 'names that differ in more than case' }, undefined);
    seen.add(folded);
    return [name, read.text(path, text, EXPRESSION)] as const;
  });
  if (columns.length > LIMITS.columnsMax)
    read.fault({ path: 'transform.columns', value: columns.length, accepted: `up to ${LIMITS.columnsMax}` }, undefined);
  return Object.fromEntries(columns);
}

function readNames(read: SpecReader, path: string, value: unknown): readonly string[] {
  const names = Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : undefined;
  return names ?? read.fault({ path, value, accepted: NAMES_ACCEPTED }, []);
}

/**
 * Judges the transform of a delivery that is to be made or changed, against its columns where they are known. Throws `transform-invalid` with `details.problems` as a specification has them.
 */
export async function judgeTransform(
  converter: Converter,
  { name, transform }: DeliverySpec,
  plan: ColumnPlan | undefined,
  call?: CallOptions,
): Promise<void> {
  if (transform === undefined) return;
  try {
    await converter.checkTransform(transform, plan, call);
  } catch (error) {
    if (!isLakewardError(error, 'transform-invalid')) throw error;
    const found = (error.details?.['problems'] ?? []) as readonly { readonly path: string; readonly reason: string }[];
    const problems = found.map(({ path, reason }) => {
      const whole = path === '' ? 'transform' : `transform.${path}`;
      return { path: whole, value: undefined, accepted: EXPRESSION.accepted, reason };
    });
    throw new LakewardError('transform-invalid', `delivery '${name}': ${error.message}`, { details: { problems } });
  }
}
