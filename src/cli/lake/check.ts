/** `lakeward lake check`. */
import type { CheckReport, DeliveryStatus, LakeFinding } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { ageText, count, plural, size, table } from '../wording.ts';
import { careRun } from './care-run.ts';

export const lakeCheck: Command = {
  name: 'lake check',
  summary: 'Compares lake and landing log: files that are lost, changed, or that no log names; changes nothing',
  arguments: [{ name: 'delivery', about: 'only this one', optional: true }],
  options: { deep: { about: 'also reads every file: its checksum and its rows' } },
  examples: ['lakeward lake check', 'lakeward lake check clicks-hourly --deep --json'],
  async run(call) {
    const { terminal, signal } = call;
    const deep = call.flag('deep');
    const [only] = call.arguments;
    const all = async (): Promise<string[]> => {
      const answer = await call.client().get<{ deliveries: readonly DeliveryStatus[] }>('/v1/deliveries', signal);
      return answer.deliveries.map(({ spec }) => spec.name);
    };
    const reports: (CheckReport & { readonly delivery: string })[] = [];
    for (const delivery of only === undefined ? await all() : [only]) {
      reports.push({ delivery, ...(await careRun(call, delivery, { kind: 'check', deep })) });
    }
    const findings = reports.reduce((sum, { findingsInAll }) => sum + findingsInAll, 0);
    if (terminal.json) terminal.document({ reports });
    else for (const line of reports.flatMap((report) => lines(report, call.clock.nowMs()))) terminal.data(line);
    return findings === 0 ? EXIT.ok : EXIT.findings;
  },
};

function lines(report: CheckReport & { readonly delivery: string }, nowMs: number): string[] {
  const { delivery, files, rejectedFiles, rows, bytes, findings, findingsInAll, expiredByBucket } = report;
  const what = `${plural(files, 'file')} and ${count(rejectedFiles)} of rejected rows, ${plural(rows, 'row')}, ${size(bytes)}`;
  const expired = expiredByBucket === 0 ? '' : `, ${count(expiredByBucket)} expired by the bucket`;
  const verdict = findingsInAll === 0 ? 'as the landing log says' : plural(findingsInAll, 'finding');
  const rowsOf = (one: LakeFinding): string => (one.rows === undefined ? '' : count(one.rows));
  const cells = findings.map((one) => [
    one.problem,
    one.path,
    rowsOf(one),
    size(one.bytes),
    one.found ?? `${ageText(one.modifiedMs, nowMs)} old`,
  ]);
  const header = ['problem', 'path', 'rows', 'bytes', 'found'];
  return [
    `${delivery}: ${what}${expired}: ${verdict}`,
    ...(cells.length === 0 ? [] : table(header, cells, ['rows', 'bytes'])),
    ...(findings.length < findingsInAll ? [`… and ${count(findingsInAll - findings.length)} more`] : []),
  ];
}
