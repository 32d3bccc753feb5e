/** DeleteStream. Deliveries are readers too: a stream they read is deleted only with `EnforceConsumerDeletion`. */
import { defineAction } from './action.ts';
import { STREAM_ARN, STREAM_NAME } from './shape.ts';
import type { StreamAddress } from './stream-address.ts';
import { streamIn } from './stream-address.ts';

interface DeleteStreamInput extends StreamAddress {
  readonly EnforceConsumerDeletion?: boolean | null;
}

export const deleteStream = defineAction({
  name: 'DeleteStream',
  input: {
    kind: 'structure',
    members: { StreamName: STREAM_NAME, StreamARN: STREAM_ARN, EnforceConsumerDeletion: { kind: 'boolean' } },
  },
  run: async (input: DeleteStreamInput, { streams }) => {
    const { document } = streamIn(input, streams);
    await streams.remove(document.name, { force: input.EnforceConsumerDeletion === true });
    return undefined;
  },
});
