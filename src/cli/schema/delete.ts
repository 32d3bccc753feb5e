/** `lakeward schema delete`. */
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { subjectPath } from './subject-path.ts';

export const schemaDelete: Command = {
  name: 'schema delete',
  summary: 'Hides a subject or one of its versions; a second time, with --permanent, removes it',
  arguments: [{ name: 'subject', about: 'its name' }],
  options: {
    version: { value: 'n', about: 'only this version' },
    permanent: { about: 'remove what was deleted before; ids are kept, as records carry them' },
  },
  examples: ['lakeward schema delete clicks-value --version 2', 'lakeward schema delete clicks-value --permanent'],
  async run(call) {
    const version = call.number('version', 1);
    const query = new URLSearchParams();
    if (version !== undefined) query.set('version', String(version));
    if (call.flag('permanent')) query.set('permanent', 'true');
    const path = `${subjectPath(call.argument(0))}?${query.toString()}`;
    const answer = await call.client().send<{ deleted: readonly number[] }>('DELETE', path);
    if (call.terminal.json) call.terminal.document(answer);
    else call.terminal.data(`${call.argument(0)} deleted: version ${answer.deleted.join(', ')}`);
    return EXIT.ok;
  },
};
