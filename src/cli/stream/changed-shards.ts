/** What the commands that change shards send, and what they print: the answer comes when the new shards are open. */
import type { StreamView } from '../../app/control-answers.ts';
import type { Invocation } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { plural } from '../wording.ts';

export async function changeShards(call: Invocation, order: object): Promise<number> {
  const name = call.argument(0);
  const stream = await call.client().send<StreamView>('POST', `/v1/streams/${encodeURIComponent(name)}/shards`, order);
  const open = stream.shards.filter(({ closed }) => !closed);
  if (call.terminal.json) call.terminal.document(stream);
  else call.terminal.data(`${name} has ${plural(open.length, 'open shard')}: ${open.map(({ id }) => id).join(', ')}`);
  call.terminal.next(`lakeward stream describe ${name}`);
  return EXIT.ok;
}
