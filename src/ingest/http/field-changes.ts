/** Where two documents differ, field by field. Lists count as one value: what moved within them is for people to see. Pure. */

import type { FieldChange } from '../../model/applied-change.ts';

export function fieldChanges(before: unknown, after: unknown, path = ''): FieldChange[] {
  if (isObject(after) && (isObject(before) || before === undefined)) return ofMembers(before ?? {}, after, path);
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }];
}

type Members = Readonly<Record<string, unknown>>;

function ofMembers(before: Members, after: Members, path: string): FieldChange[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => fieldChanges(before[name], after[name], path === '' ? name : `${path}.${name}`));
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
