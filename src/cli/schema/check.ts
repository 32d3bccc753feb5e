/** `lakeward schema check`. */
import type { SchemaProblem } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { jsonFile } from '../json-file.ts';
import { problemText, subjectPath } from './subject-path.ts';

interface CheckAnswer {
  readonly compatible: boolean;
  readonly mode: string;
  readonly problems: readonly SchemaProblem[];
}

export const schemaCheck: Command = {
  name: 'schema check',
  summary: 'Says whether a schema could be registered, and why not (exit code 4)',
  arguments: [
    { name: 'subject', about: 'its name' },
    { name: 'file', about: 'a file with the Avro schema' },
  ],
  options: {},
  examples: ['lakeward schema check clicks-value click.avsc'],
  async run(call) {
    const schema = await jsonFile(call.argument(1));
    const answer = await call.client().send<CheckAnswer>('POST', `${subjectPath(call.argument(0))}/check`, { schema });
    if (call.terminal.json) call.terminal.document(answer);
    else if (answer.compatible) call.terminal.data(`compatible (${answer.mode})`);
    else {
      call.terminal.say(`not ${answer.mode} compatible`);
      for (const problem of answer.problems) call.terminal.data(problemText(problem));
    }
    return answer.compatible ? EXIT.ok : EXIT.findings;
  },
};
