/**
 * The order in which every store lists: ascending by the UTF-8 bytes of the path. JavaScript compares UTF-16 units, which differs
 * as soon as a path holds a character beyond the basic plane, so the comparison is made here, once.
 */

/** Negative, zero or positive, as `Array.sort` wants it. */
export function comparePaths(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    // A surrogate stands for a code point above every other unit.
    const leftHigh = (left & 0xf800) === 0xd800;
    const rightHigh = (right & 0xf800) === 0xd800;
    if (leftHigh !== rightHigh) return leftHigh ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}
