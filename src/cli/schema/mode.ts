/** `lakeward schema mode`. */
import type { Command } from '../command.ts';
import { COMPATIBILITY } from '../accepted.ts';
import { EXIT } from '../exit-code.ts';
import { subjectPath } from './subject-path.ts';

export const schemaMode: Command = {
  name: 'schema mode',
  summary: 'Sets what new versions owe to those before: none, backward, forward, full, or a _transitive form',
  arguments: [
    { name: 'mode', about: 'the mode; default gives up the one that was set', accepts: COMPATIBILITY },
    { name: 'subject', about: 'only this one; without, all that have none of their own', optional: true },
  ],
  options: {},
  examples: ['lakeward schema mode full_transitive', 'lakeward schema mode none clicks-value'],
  async run(call) {
    const mode = call.argument(0);
    const [, subject] = call.arguments;
    const path = subject === undefined ? '/v1/schemas' : subjectPath(subject);
    const body = { compatibility: mode === 'default' ? null : mode };
    const answer = await call.client().send<{ compatibility: string }>('PUT', path, body);
    if (call.terminal.json) call.terminal.document(answer);
    else call.terminal.data(`${subject ?? 'every subject without its own'}: ${answer.compatibility}`);
    return EXIT.ok;
  },
};
