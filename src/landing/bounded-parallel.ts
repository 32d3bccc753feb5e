/** Asynchronous work over a list with a bound on how much runs at once: files staged, published, read or removed. */

/** File operations under way at once. */
const AT_ONCE = 64;

/** Results in the order of the items. On a failure nothing new is begun, what runs is awaited, and the first failure is thrown. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const failures: unknown[] = [];
  let next = 0;
  async function lane(): Promise<void> {
    while (next < items.length && failures.length === 0) {
      const index = next;
      next += 1;
      try {
        results[index] = await work(items[index] as T, index);
      } catch (error) {
        failures.push(error);
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  if (failures.length > 0) throw failures[0];
  return results;
}
