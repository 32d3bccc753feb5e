/** `lakeward schema show`. */
import type { SchemaAnswer } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { subjectPath } from './subject-path.ts';

export const schemaShow: Command = {
  name: 'schema show',
  summary: 'Prints a schema',
  arguments: [{ name: 'subject', about: 'its name' }],
  options: { version: { value: 'n', about: 'another version than the newest' } },
  examples: ['lakeward schema show clicks-value', 'lakeward schema show clicks-value --version 1 > click.avsc'],
  async run(call) {
    const version = call.number('version', 1);
    const query = version === undefined ? '' : `?version=${version}`;
    const found = await call.client().get<SchemaAnswer>(`${subjectPath(call.argument(0))}${query}`, call.signal);
    if (call.terminal.json) call.terminal.document(found);
    else {
      call.terminal.say(`${found.subject} version ${found.version}, id ${found.id}, ${found.compatibility}`);
      call.terminal.data(JSON.stringify(found.schema, null, 2));
    }
    return EXIT.ok;
  },
};
