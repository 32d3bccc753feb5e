/**
 * Which deliveries cannot be in one lake together. Below one folder every record shows once, so no prefix may equal another's, contain
 * it or lie within it. Names are folders too, of landing logs and rejected rows. Both are compared without case: many disks take `A`
 * and `a` for one folder. Pure.
 */
import type { DeliverySpec } from '../model/delivery.ts';
import type { SpecProblem } from './spec-fields.ts';

export type Neighbour = Pick<DeliverySpec, 'name' | 'prefix'>;

/** What keeps a delivery from standing beside another one; nothing beside itself. */
export function clashes(spec: Neighbour, other: Neighbour): SpecProblem[] {
  if (spec.name === other.name) return [];
  const problems: SpecProblem[] = [];
  if (spec.name.toLowerCase() === other.name.toLowerCase()) {
    const reason = `'${spec.name}' differs from delivery '${other.name}' only in case`;
    problems.push({ path: 'name', value: spec.name, accepted: 'a name that differs in more than case', reason });
  }
  if (overlap(spec.prefix, other.prefix)) {
    const reason = `'${spec.prefix}' overlaps with '${other.prefix}' of delivery '${other.name}': records would show twice below one folder`;
    problems.push({ path: 'prefix', value: spec.prefix, accepted: 'a folder apart from those of all others', reason });
  }
  return problems;
}

function overlap(a: string, b: string): boolean {
  const [one, two] = [`${a}/`.toLowerCase(), `${b}/`.toLowerCase()];
  return one.startsWith(two) || two.startsWith(one);
}
