/**
 * MD5 of short texts (one block of the algorithm, RFC 1321), which is what partition keys are: the call into the crypto library
 * costs several times the hash itself. Longer texts are the caller's to hash elsewhere. Here for routing only, not for secrets.
 */

/** A text of more bytes needs a second block. */
export const MD5_BLOCK_TEXT_MAX = 55;

const BLOCK = new Uint8Array(64);
const WORDS = new Int32Array(BLOCK.buffer);
/** Constants of the 64 steps: ⌊2³² · |sin(i + 1)|⌋. */
const SINES = Int32Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) | 0);

/** Writes the digest of `source[from … to)`, at most `MD5_BLOCK_TEXT_MAX` bytes, to the start of `digest`. */
export function md5Block(source: Uint8Array, from: number, to: number, digest: DataView): void {
  const length = to - from;
  for (let i = 0; i < length; i++) BLOCK[i] = source[from + i] as number;
  BLOCK[length] = 0x80;
  BLOCK.fill(0, length + 1);
  WORDS[14] = length << 3;
  // Each round is four times four steps; written out four at a time the names take turns, and no values move.
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  for (let i = 0; i < 16; i += 4) {
    a = turn(a + (d ^ (b & (c ^ d))) + word(i) + sine(i), 7, b);
    d = turn(d + (c ^ (a & (b ^ c))) + word(i + 1) + sine(i + 1), 12, a);
    c = turn(c + (b ^ (d & (a ^ b))) + word(i + 2) + sine(i + 2), 17, d);
    b = turn(b + (a ^ (c & (d ^ a))) + word(i + 3) + sine(i + 3), 22, c);
  }
  for (let i = 16; i < 32; i += 4) {
    a = turn(a + (c ^ (d & (b ^ c))) + word(5 * i + 1) + sine(i), 5, b);
    d = turn(d + (b ^ (c & (a ^ b))) + word(5 * i + 6) + sine(i + 1), 9, a);
    c = turn(c + (a ^ (b & (d ^ a))) + word(5 * i + 11) + sine(i + 2), 14, d);
    b = turn(b + (d ^ (a & (c ^ d))) + word(5 * i) + sine(i + 3), 20, c);
  }
  for (let i = 32; i < 48; i += 4) {
    a = turn(a + (b ^ c ^ d) + word(3 * i + 5) + sine(i), 4, b);
    d = turn(d + (a ^ b ^ c) + word(3 * i + 8) + sine(i + 1), 11, a);
    c = turn(c + (d ^ a ^ b) + word(3 * i + 11) + sine(i + 2), 16, d);
    b = turn(b + (c ^ d ^ a) + word(3 * i + 14) + sine(i + 3), 23, c);
  }
  for (let i = 48; i < 64; i += 4) {
    a = turn(a + (c ^ (b | ~d)) + word(7 * i) + sine(i), 6, b);
    d = turn(d + (b ^ (a | ~c)) + word(7 * i + 7) + sine(i + 1), 10, a);
    c = turn(c + (a ^ (d | ~b)) + word(7 * i + 14) + sine(i + 2), 15, d);
    b = turn(b + (d ^ (c | ~a)) + word(7 * i + 21) + sine(i + 3), 21, c);
  }
  digest.setInt32(0, a + 0x67452301, true);
  digest.setInt32(4, b + 0xefcdab89, true);
  digest.setInt32(8, c + 0x98badcfe, true);
  digest.setInt32(12, d + 0x10325476, true);
}

function word(i: number): number {
  return WORDS[i & 15] as number;
}

function sine(i: number): number {
  return SINES[i] as number;
}

/** Rotates a sum, which may exceed 32 bits, and adds. */
function turn(sum: number, bits: number, addend: number): number {
  return (((sum << bits) | (sum >>> (32 - bits))) + addend) | 0;
}
