/**
 * A delivery's status as lines of text: what several commands print after they did something to it.
 */
import type { DeliveryStatus } from '../../app/control-answers.ts';
import type { LifecycleStep } from '../../model/object-settings.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { troubleLines } from './list.ts';
import { ageText, count, duration, plural, size, time } from '../wording.ts';

/** Path of a delivery in the control API. */
export function deliveryPath(name: string): string {
  return `/v1/deliveries/${encodeURIComponent(name)}`;
}

/** Prints the status, whole as JSON or in one line of text. A delivery that is in trouble all the same is no success. */
export function printOutcome(call: Invocation, status: DeliveryStatus, outcome: string): number {
  const inTrouble = status.trouble !== undefined;
  if (call.terminal.json) call.terminal.document(status);
  else call.terminal.data(`${status.spec.name} ${inTrouble ? 'in trouble' : outcome}: ${summary(status)}`);
  if (!call.terminal.json) for (const line of troubleLines([status])) call.terminal.say(line);
  return inTrouble ? EXIT.failed : EXIT.ok;
}

function summary(status: DeliveryStatus): string {
  const landed = `${plural(status.rows, 'row')} in ${plural(status.files, 'file')}`;
  const open = status.rejects.openRows;
  const rejected = open === 0 ? '' : `, ${count(open)} rejected`;
  return `${status.state}, ${landed}${rejected}, ${plural(status.pending.records, 'record')} waiting`;
}

function rejectRule(rule: DeliveryStatus['spec']['rejects']): string {
  const mode = { reject: 'set aside', suspend: 'suspend the delivery', skip: 'only counted' }[rule?.mode ?? 'reject'];
  const budget = rule?.budget;
  return budget === undefined
    ? mode
    : `${mode}; at most ${budget.share * 100} % of ${count(budget.rows)} rows in a row`;
}

function rejected({ rejectedRows, rejects }: DeliveryStatus): string {
  const replayed = rejects.replayedRows === 0 ? '' : `, ${count(rejects.openRows)} of them open`;
  const skipped = rejects.skippedRows === 0 ? '' : `; ${plural(rejects.skippedRows, 'row')} skipped`;
  return `${plural(rejectedRows, 'row')}${replayed}${skipped}`;
}

const REASONS_SHOWN = 5;

/** Most frequent reasons, and what the newest landings say. */
function reasonFacts({ rejects }: DeliveryStatus): (readonly [string, string])[] {
  const { groups, lately } = rejects;
  const shown = groups
    .slice(0, REASONS_SHOWN)
    .map(({ code, column, rejected: set, skipped }) => `${count(set + skipped)} ${reasonName({ code, column })}`);
  if (shown.length === 0) return [];
  const more = groups.length > REASONS_SHOWN ? ', …' : '';
  const newest = lately.groups.reduce((sum, { rows }) => sum + rows, 0);
  const landings = plural(lately.landings, 'landing');
  return [
    ['reasons', `${shown.join(', ')}${more}`],
    ['lately', `${count(newest)} of ${plural(lately.rows, 'row')} rejected in the last ${landings}`],
  ];
}

export function reasonName({ code, column }: { readonly code: string; readonly column?: string | undefined }): string {
  return column === undefined ? code : `${code} (${column})`;
}

function dedupeFacts({ spec, dedupe, duplicateRows, unkeyedRows }: DeliveryStatus): (readonly [string, string])[] {
  if (spec.dedupe === undefined && duplicateRows === 0) return [];
  const rule = spec.dedupe === undefined ? 'off' : `by ${spec.dedupe.key} within ${duration(spec.dedupe.windowMs)}`;
  const cut = dedupe?.cut === true ? ', fewer than the window holds: see Limits' : '';
  return [
    ['dedupe', `${rule}, ${plural(dedupe?.knownIds ?? 0, 'id')} known${cut}`],
    ['duplicates', `${plural(duplicateRows, 'record')} dropped, ${plural(unkeyedRows, 'row')} landed without an id`],
  ];
}

function lateText({ spec, lateRows, held }: DeliveryStatus, nowMs: number): string {
  const rule = spec.late === undefined ? [] : [`held for ${duration(spec.late.holdMs)}`];
  const now =
    held === undefined ? [] : [`${count(held.rows)} held now, the oldest for ${ageText(held.sinceMs, nowMs)}`];
  return [plural(lateRows, 'row'), ...rule, ...now].join(', ');
}

function goneFacts({ spec, expiredRows, erasedRows, lostRows }: DeliveryStatus): (readonly [string, string])[] {
  const lost = lostRows === 0 ? '' : `, ${count(lostRows)} lost`;
  const all = `${count(expiredRows)} expired, ${count(erasedRows)} erased${lost}`;
  const gone = expiredRows + erasedRows + lostRows === 0 ? [] : [all];
  const kept = spec.retentionMs === undefined ? [] : [`partitions stay ${duration(spec.retentionMs)}`];
  return gone.length + kept.length === 0 ? [] : [['gone', [...gone, ...kept].join('; ')]];
}

function noticeFacts({ spec, notices }: DeliveryStatus, nowMs: number): (readonly [string, string])[] {
  if (spec.notify === undefined) return [];
  const to = 'url' in spec.notify ? spec.notify.url : `stream ${spec.notify.stream}`;
  if (notices === undefined || notices.pending === 0) return [['notices', `to ${to}`]];
  const why = notices.trouble === undefined ? '' : `: ${notices.trouble.message}`;
  return [
    ['notices', `to ${to}; ${count(notices.pending)} wait, the oldest ${ageText(notices.oldestMs, nowMs)}${why}`],
  ];
}

/** What becomes of rows and files on their way, where anything does. */
function keepingFacts({ transform, object, lifecycle }: DeliveryStatus['spec']): (readonly [string, string])[] {
  const facts: (readonly [string, string])[] = [];
  if (transform !== undefined) facts.push(['transform', JSON.stringify(transform)]);
  if (object !== undefined) facts.push(['object', JSON.stringify(object)]);
  if (lifecycle !== undefined) facts.push(['lifecycle', lifecycle.map(stepText).join(', ')]);
  return facts;
}

function stepText(step: LifecycleStep): string {
  const some = step.tags === undefined ? '' : ` where ${JSON.stringify(step.tags)}`;
  return `${'to' in step ? step.to : 'expire'} after ${step.afterDays} d${some}`;
}

function schemaText({ spec: { schema }, planVersion, follows }: DeliveryStatus): string {
  const columns = `columns version ${planVersion}`;
  if (schema === 'auto') return `auto, ${columns}`;
  if (!('subject' in schema)) return `avro, ${columns}`;
  const through = follows === undefined ? 'not yet met' : `followed through version ${follows.through}`;
  return `subject ${schema.subject} (${schema.version}), ${through}, ${columns}`;
}

/** Everything about a delivery, one fact a line. */
export function details(status: DeliveryStatus, nowMs: number): string[] {
  const { spec } = status;
  const event = spec.eventTime.from === 'arrival' ? 'arrival' : `${spec.eventTime.field} (${spec.eventTime.form})`;
  const waiting = `${plural(status.pending.records, 'record')}, ${size(status.pending.bytes)}`;
  const facts: (readonly [string, string])[] = [
    [
      'delivery',
      `${spec.name} (${status.owner === 'file' ? 'declared by the configuration file' : 'made by command'})`,
    ],
    ['state', status.trouble === undefined ? status.state : `${status.state}: ${status.trouble.message}`],
    ['from', `stream ${spec.stream}`],
    ['to', `${spec.prefix}/${spec.layout}`],
    ['format', `${spec.format}, ${spec.compression}`],
    ['schema', schemaText(status)],
    ...(status.follows?.refused ?? []).map(({ version, reason }) => [`version ${version}`, reason] as const),
    ['event time', event],
    ...keepingFacts(spec),
    ['flush', `${size(spec.flush.bytes)}, ${duration(spec.flush.ageMs)} or ${plural(spec.flush.records, 'record')}`],
    ['landed', `${plural(status.rows, 'row')}, ${plural(status.files, 'file')}, ${size(status.bytes)}`],
    ...goneFacts(status),
    ['late', lateText(status, nowMs)],
    ...(spec.transform === undefined ? [] : [['filtered', plural(status.filteredRows, 'row')] as const]),
    ['extra', `${plural(status.extraRows, 'row')} with values in _extra`],
    ['rejects', rejectRule(spec.rejects)],
    ['rejected', rejected(status)],
    ...reasonFacts(status),
    ...dedupeFacts(status),
    ['lost', `up to ${plural(status.lostOffsets, 'record')}`],
    ['waiting', waiting],
    ['oldest', ageText(status.pending.oldestArrivalMs, nowMs)],
    ['last landed', time(status.lastLandedMs)],
    ['watermark', time(status.watermarkMs)],
    ...noticeFacts(status, nowMs),
    ['log entry', count(status.entry)],
  ];
  return facts.map(([name, value]) => `${name.padEnd(12)} ${value}`);
}
