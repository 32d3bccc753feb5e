/** Counts every request that goes out to S3, by operation and status: what a provider bills, and what it answered. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { Telemetry } from '../../ports/telemetry.ts';
import { statusOf } from './failures.ts';

export function countRequests(client: S3Client, telemetry: Telemetry): void {
  const requests = telemetry.counter({
    name: 'lakeward_lake_requests_total',
    help: 'Requests to S3 by operation (as in its price list) and HTTP status, `none` without an answer.',
    labels: ['operation', 'status'],
  });
  client.middlewareStack.add(
    (next, { commandName = 'unknown' }) =>
      async (args) => {
        const operation = commandName.replace(/Command$/, '');
        try {
          const answer = await next(args);
          const { statusCode } = answer.response as { statusCode?: number };
          requests.add(1, { operation, status: String(statusCode ?? 200) });
          return answer;
        } catch (error) {
          requests.add(1, { operation, status: String(statusOf(error) ?? 'none') });
          throw error;
        }
      },
    { step: 'deserialize', priority: 'low', name: 'countRequests' },
  );
}
