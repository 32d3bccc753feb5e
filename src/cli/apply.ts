/** `lakeward apply`: makes a server's streams and deliveries those of a file, and shows what that changes. */
import type { AppliedChange, ApplyAnswer, FieldChange } from '../app/control-answers.ts';
import { loadDeclared } from '../app/declared-file.ts';
import type { Command } from './command.ts';
import { EXIT } from './exit-code.ts';
import { duration, plural } from './wording.ts';

const DEFAULT_FILE = 'lakeward.yaml';
const SIGNS: Readonly<Record<AppliedChange['change'], string>> = { add: '+', change: '~', remove: '-' };

export const apply: Command = {
  name: 'apply',
  summary: 'Makes streams and deliveries those of a file, and shows what changes',
  arguments: [],
  options: {
    file: {
      value: 'yaml',
      short: 'f',
      about: `its streams and deliveries count, other sections are ignored (default ${DEFAULT_FILE})`,
    },
    'dry-run': { about: 'only show what would change; exit code 4 when something would' },
    prune: { about: 'also delete deliveries, and streams with their records, that the file leaves out' },
  },
  examples: ['lakeward apply -f lakeward.yaml --dry-run', 'lakeward apply -f lakeward.yaml'],
  async run(call) {
    const { terminal } = call;
    const file = call.option('file') ?? DEFAULT_FILE;
    const dryRun = call.flag('dry-run');
    const wanted = await loadDeclared(file);
    const order = { ...wanted, dryRun, prune: call.flag('prune') };
    const answer = await call.client().send<ApplyAnswer>('POST', '/v1/apply', order, call.signal);
    const { changes } = answer;
    if (terminal.json) terminal.document(answer);
    else for (const change of changes) for (const line of linesOf(change)) terminal.data(line);
    terminal.say(
      changes.length === 0 ? 'nothing to change' : `${plural(changes.length, 'change')} ${dryRun ? 'to make' : 'made'}`,
    );
    return dryRun && changes.length > 0 ? EXIT.findings : EXIT.ok;
  },
};

function linesOf({ kind, name, change, fields }: AppliedChange): string[] {
  const lost = change !== 'remove' ? '' : kind === 'stream' ? '  (with its records)' : '  (what has landed stays)';
  return [
    `${SIGNS[change]} ${kind} ${name}${lost}`,
    // Its name stands above.
    ...fields.filter(({ path }) => path !== 'name').map((field) => `    ${fieldText(field, change)}`),
  ];
}

function fieldText({ path, before, after }: FieldChange, change: AppliedChange['change']): string {
  const [from, to] = [valueText(path, before), valueText(path, after)];
  return change === 'add' ? `${path}: ${to}` : `${path}: ${from} -> ${to}`;
}

function valueText(path: string, value: unknown): string {
  if (value === undefined) return 'none';
  if (typeof value === 'number' && path.endsWith('Ms')) return duration(value);
  return JSON.stringify(value);
}
