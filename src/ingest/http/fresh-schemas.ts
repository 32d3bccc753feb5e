/** Who asks for a schema may have learnt of it from another process a moment ago: what is not known is asked for once more, then judged. */
import { isLakewardError } from '../../model/errors.ts';
import type { Schemas } from '../../ports/schemas.ts';

/** Does it, and again with the newest registry when a schema or subject was not found. Throws `lake-unavailable` when that cannot be read. */
export async function withFreshSchemas<T>(schemas: Schemas, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isLakewardError(error, 'schema-not-found') && !isLakewardError(error, 'subject-not-found')) throw error;
    await schemas.refresh();
  }
  return work();
}
