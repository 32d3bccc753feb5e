/**
 * What only a bucket has beside its objects: links that are signed for a time, and lifecycle rules. No part of landing.
 */
import {
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  type GetBucketLifecycleConfigurationCommandOutput,
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { LakewardError } from '../../model/errors.ts';
import { type LakePath, lakePath } from '../../model/lake-path.ts';
import type { CallOptions } from '../../ports/call-options.ts';
import type { LifecyclePlan, RestoreOptions, RestoreReport } from '../../ports/lake-desk.ts';
import { deletedAmong, undelete, versionPages } from './deleted-objects.ts';
import { s3CodeOf, s3Failure, statusOf } from './failures.ts';
import { type DeliveryLifecycle, type PlannedRules, planLifecycle } from './lifecycle-plan.ts';
import type { S3Connection } from './s3-client.ts';

/** Files one call looks at. */
const RESTORED_MAX = 1000;

export interface BucketTools {
  /** Throws `not-found`, and `key-missing` for an object that only its key opens. */
  url(path: LakePath, options: CallOptions & { readonly expiresMs: number }): Promise<string>;
  /**
   * Brings back what `whyNot` has nothing against, of the objects under the prefix that were deleted at `sinceMs` or later. What a
   * bucket without versions lost is gone.
   */
  restore(options: RestoreOptions, whyNot: (path: LakePath) => Promise<string | undefined>): Promise<RestoreReport>;
  lifecycle(deliveries: readonly DeliveryLifecycle[], call?: CallOptions): Promise<LifecyclePlan>;
  /** S3 has one document of rules and no condition for it: what somebody else writes at the same moment is lost. */
  applyLifecycle(deliveries: readonly DeliveryLifecycle[], call?: CallOptions): Promise<LifecyclePlan>;
}

export interface BucketPlace {
  readonly connection: S3Connection;
  readonly bucket: string;
  /** As in the configuration. */
  readonly prefix?: string | undefined;
}

export function bucketTools({ connection, bucket, prefix: folder = '' }: BucketPlace): BucketTools {
  const { client, requestMs } = connection;
  const bare = folder.replace(/^\/+|\/+$/g, '');
  const prefix = bare === '' ? '' : `${bare}/`;
  const bounds = (call: CallOptions | undefined) => ({
    requestTimeout: requestMs(0),
    ...(call?.signal !== undefined && { abortSignal: call.signal }),
  });

  async function told<T>(what: string, call: CallOptions | undefined, work: () => Promise<T>): Promise<T> {
    call?.signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      call?.signal?.throwIfAborted();
      throw s3Failure(error, what);
    }
  }

  type Held = Pick<GetBucketLifecycleConfigurationCommandOutput, 'Rules' | 'TransitionDefaultMinimumObjectSize'>;
  const heldRules = (call: CallOptions | undefined): Promise<Held> =>
    told("read the bucket's lifecycle rules", call, async () => {
      try {
        return await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket }), bounds(call));
      } catch (error) {
        if (s3CodeOf(error) === 'NoSuchLifecycleConfiguration') return {};
        throw error;
      }
    });
  const plan = (deliveries: readonly DeliveryLifecycle[], held: Held): PlannedRules =>
    planLifecycle({ bucket, prefix }, deliveries, held.Rules ?? []);

  return {
    url: (path, { expiresMs, ...call }) =>
      told(`make a link to ${path}`, call, async () => {
        const at = { Bucket: bucket, Key: `${prefix}${path}` };
        try {
          await client.send(new HeadObjectCommand(at), bounds(call));
        } catch (error) {
          if (statusOf(error) === 404) throw new LakewardError('not-found', `there is no file ${path} in the lake`);
          if (statusOf(error) !== 400) throw error;
          const why = 'is encrypted with a key that has to be sent along, which no link can do; use lake cat';
          throw new LakewardError('key-missing', `${path} ${why}`);
        }
        return getSignedUrl(client, new GetObjectCommand(at), { expiresIn: Math.round(expiresMs / 1000) });
      }),
    restore: ({ prefix: start, sinceMs, dryRun, ...call }, whyNot) =>
      told(`restore '${start}'`, call, async () => {
        const restored: LakePath[] = [];
        const left: { path: LakePath; why: string }[] = [];
        for await (const page of versionPages(client, { bucket, prefix: `${prefix}${start}` }, () => bounds(call))) {
          for (const object of deletedAmong(page, sinceMs)) {
            if (restored.length + left.length >= RESTORED_MAX) return { restored, left, more: true };
            const path = lakePath(object.key.slice(prefix.length));
            const why = await whyNot(path);
            if (why !== undefined) left.push({ path, why });
            else if (!dryRun) await undelete(client, bucket, { object, bounds: () => bounds(call) });
            if (why === undefined) restored.push(path);
          }
        }
        return { restored, left, more: false };
      }),
    async lifecycle(deliveries, call) {
      const { changes, warnings } = plan(deliveries, await heldRules(call));
      return { changes, warnings };
    },
    async applyLifecycle(deliveries, call) {
      const held = await heldRules(call);
      const { changes, warnings, rules } = plan(deliveries, held);
      const { TransitionDefaultMinimumObjectSize } = held;
      const due = changes.some(({ change }) => change === 'add' || change === 'replace' || change === 'remove');
      await told("write the bucket's lifecycle rules", call, async () => {
        if (!due) return;
        if (rules.length === 0) await client.send(new DeleteBucketLifecycleCommand({ Bucket: bucket }), bounds(call));
        else {
          const command = new PutBucketLifecycleConfigurationCommand({
            Bucket: bucket,
            LifecycleConfiguration: { Rules: [...rules] },
            ...(TransitionDefaultMinimumObjectSize !== undefined && { TransitionDefaultMinimumObjectSize }),
          });
          await client.send(command, bounds(call));
        }
      });
      return { changes, warnings };
    },
  };
}
