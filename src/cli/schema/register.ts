/** `lakeward schema register`. */
import type { SchemaAnswer } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { jsonFile } from '../json-file.ts';
import { subjectPath } from './subject-path.ts';

export const schemaRegister: Command = {
  name: 'schema register',
  summary: 'Registers an Avro schema as the next version of a subject',
  arguments: [
    { name: 'subject', about: 'its name, such as clicks-value' },
    { name: 'file', about: 'a file with the Avro schema' },
  ],
  options: {},
  examples: ['lakeward schema register clicks-value click.avsc'],
  async run(call) {
    const schema = await jsonFile(call.argument(1));
    const made = await call.client().send<SchemaAnswer>('POST', subjectPath(call.argument(0)), { schema });
    if (call.terminal.json) call.terminal.document(made);
    else call.terminal.data(`${made.subject} version ${made.version}, id ${made.id}`);
    call.terminal.next(`lakeward delivery create clicks --stream clicks --schema subject:${made.subject}`);
    return EXIT.ok;
  },
};
