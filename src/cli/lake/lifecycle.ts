/** `lakeward lake lifecycle`. */
import type { LifecycleChange, LifecyclePlan } from '../../app/control-answers.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../wording.ts';

const SIGNS: Readonly<Record<LifecycleChange['change'], string>> = {
  add: '+',
  replace: '~',
  remove: '-',
  keep: ' ',
  foreign: ' ',
};

export const lakeLifecycle: Command = {
  name: 'lake lifecycle',
  summary: 'Compares the lifecycle rules of the bucket with those of the deliveries, or makes them so',
  arguments: [
    {
      name: 'plan|apply',
      about: 'plan shows what apply would do',
      accepts: { words: 'plan or apply', test: (text) => text === 'plan' || text === 'apply' },
    },
  ],
  options: {},
  examples: ['lakeward lake lifecycle plan', 'lakeward lake lifecycle apply'],
  async run(call) {
    const client = call.client();
    const { terminal } = call;
    const isPlan = call.argument(0) === 'plan';
    const plan = isPlan
      ? await client.get<LifecyclePlan>('/v1/lake/lifecycle', call.signal)
      : await client.send<LifecyclePlan>('POST', '/v1/lake/lifecycle', undefined, call.signal);
    if (terminal.json) terminal.document(plan);
    else for (const change of plan.changes) for (const line of described(change)) terminal.data(line);
    for (const warning of plan.warnings) terminal.say(`${terminal.words.bad('warning:')} ${warning}`);
    const due = plan.changes.filter(({ change }) => SIGNS[change] !== ' ').length;
    terminal.say(isPlan ? `${plural(due, 'change')} to make` : `${plural(due, 'change')} made`);
    if (isPlan && due > 0) terminal.next('lakeward lake lifecycle apply');
    return EXIT.ok;
  },
};

function described({ id, change, rule, before }: LifecycleChange): string[] {
  const line = `${SIGNS[change]} ${id}  ${rule}${change === 'foreign' ? '  (not ours, stays)' : ''}`;
  return before === undefined ? [line] : [`- ${id}  ${before}`, `+ ${id}  ${rule}`];
}
