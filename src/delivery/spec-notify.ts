/** The part of a specification that says who is told of partitions that are complete or were reopened. */
import type { DeliverySpec } from '../model/delivery.ts';
import { isName } from '../model/stream.ts';
import { compileLayout } from '../partition/layout.ts';
import type { SpecReader } from './spec-fields.ts';
import { closingUnit } from './watermark.ts';

const URL_CHARS_MAX = 2048;
const ACCEPTED =
  "{url: an http or https address without user and password} or {stream: a name other than the delivery's stream}";

/** `none` stands for nobody. */
export function readNotify(
  read: SpecReader,
  { stream, layout }: { readonly stream: string; readonly layout: string },
  value: unknown,
): Pick<DeliverySpec, 'notify'> {
  if (value === undefined || value === 'none') return {};
  const given = read.object('notify', value, ['url', 'stream']);
  if (given === undefined) return {};
  const { url, stream: target } = given;
  if (closingUnit(compileLayout(layout).units) === undefined) {
    return read.fault({ path: 'notify', value, accepted: 'only with a layout that begins with {yyyy}' }, {});
  }
  if (target === undefined && isAddress(url)) return { notify: { url } };
  if (url === undefined && typeof target === 'string' && isName(target) && target !== stream) {
    return { notify: { stream: target } };
  }
  return read.fault({ path: 'notify', value, accepted: ACCEPTED }, {});
}

function isAddress(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > URL_CHARS_MAX || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}
