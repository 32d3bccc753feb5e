/**
 * UUID version 7 (RFC 9562): 48 bits of epoch ms, then a 12-bit counter and 62 random bits. The counter starts at random in
 * its lower half each millisecond and grows within it, so ids of one maker always ascend, also when its clock goes back.
 */
const COUNTER_BITS = 12;
const COUNTER_MAX = 2 ** COUNTER_BITS - 1;

/** Makes ids from a clock and a source of random bytes; `fill` overwrites the whole array. */
export function uuidV7Maker(nowMs: () => number, fill: (bytes: Uint8Array) => void): () => string {
  const bytes = new Uint8Array(16);
  let lastMs = -1;
  let counter = 0;

  return () => {
    fill(bytes);
    const now = Math.max(0, Math.floor(nowMs()));
    if (now > lastMs) {
      lastMs = now;
      counter = (((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & (COUNTER_MAX >> 1);
    } else if (counter < COUNTER_MAX) {
      counter += 1;
    } else {
      // Full: borrow the next millisecond rather than repeat or wait.
      lastMs += 1;
      counter = 0;
    }
    let ms = lastMs;
    for (let i = 5; i >= 0; i -= 1) {
      bytes[i] = ms % 256;
      ms = Math.floor(ms / 256);
    }
    bytes[6] = 0x70 | (counter >> 8);
    bytes[7] = counter & 0xff;
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    return format(bytes);
  };
}

function format(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
