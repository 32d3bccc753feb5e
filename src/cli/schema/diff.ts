/** `lakeward schema diff`. */
import type { DifferenceAnswer } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { problemText, subjectPath } from './subject-path.ts';

export const schemaDiff: Command = {
  name: 'schema diff',
  summary: 'Tells what changed between two versions, and who can read whom',
  arguments: [{ name: 'subject', about: 'its name' }],
  options: {
    from: { value: 'n', about: 'the earlier version (default: the one before)' },
    to: { value: 'n', about: 'the later version (default: the newest)' },
  },
  examples: ['lakeward schema diff clicks-value', 'lakeward schema diff clicks-value --from 1 --to 3'],
  async run(call) {
    const query = new URLSearchParams();
    for (const name of ['from', 'to']) {
      const version = call.number(name, 1);
      if (version !== undefined) query.set(name, String(version));
    }
    const path = `${subjectPath(call.argument(0))}/diff?${query.toString()}`;
    const answer = await call.client().get<DifferenceAnswer>(path, call.signal);
    if (call.terminal.json) {
      call.terminal.document(answer);
      return EXIT.ok;
    }
    const { from, to, changes, backward, forward } = answer;
    call.terminal.say(`from version ${from} to ${to}`);
    for (const { path: field, change, from: before, to: after } of changes) {
      const sides = [before, after].filter((side) => side !== undefined).join(' -> ');
      call.terminal.data(`${field === '' ? '(schema)' : field}  ${change}: ${sides}`);
    }
    if (changes.length === 0) call.terminal.data('nothing that readers see');
    const told = (problems: DifferenceAnswer['backward']): string =>
      problems.length === 0 ? 'yes' : `no, ${problems.map(problemText).join('; ')}`;
    call.terminal.data(`version ${to} reads records of ${from}: ${told(backward)}`);
    call.terminal.data(`version ${from} reads records of ${to}: ${told(forward)}`);
    return EXIT.ok;
  },
};
