/** `lakeward schema list`. */
import type { SubjectAnswer } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { table, time } from '../wording.ts';

export const schemaList: Command = {
  name: 'schema list',
  summary: 'Lists the subjects of the schema registry',
  arguments: [],
  options: { deleted: { about: 'deleted versions too' } },
  examples: ['lakeward schema list', 'lakeward schema list --deleted --json'],
  async run(call) {
    const path = `/v1/schemas${call.flag('deleted') ? '?deleted=true' : ''}`;
    const answer = await call.client().get<{ subjects: readonly SubjectAnswer[] }>(path, call.signal);
    if (call.terminal.json) {
      call.terminal.document(answer);
      return EXIT.ok;
    }
    if (answer.subjects.length === 0) {
      call.terminal.say('no schemas yet');
      call.terminal.next('lakeward schema register clicks-value click.avsc');
      return EXIT.ok;
    }
    const rows = answer.subjects.flatMap(({ subject, compatibility, versions }) =>
      versions.map(({ version, id, createdMs, deleted }) => [
        subject,
        `${version}${deleted ? ' (deleted)' : ''}`,
        String(id),
        compatibility,
        time(createdMs),
      ]),
    );
    for (const line of table(['subject', 'version', 'id', 'compatibility', 'registered'], rows, ['id'])) {
      call.terminal.data(line);
    }
    return EXIT.ok;
  },
};
