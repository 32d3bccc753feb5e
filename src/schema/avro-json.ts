/**
 * Avro binary to the JSON that a column plan takes, in one pass from bytes to bytes: whole numbers exact to 64 bits, decimals as text,
 * bytes and fixed as base64, times as the numbers they are, unions as the value they hold. The Avro library gives objects, and
 * no long beyond 2^53; a test holds both to the same values. Everything is bounded: the text by its sink, nesting by depth, and what
 * is no JSON (NaN, Infinity) becomes a text, so that a column of numbers names itself.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { AvroDataError } from './avro-data-error.ts';
import type { JsonSink } from './json-sink.ts';
import type { FieldType, Logical, ResolvedType } from './resolved-type.ts';

/** Writes the value at `from` to the sink, which is cleared first; gives the position behind it. Throws `AvroDataError`. */
export type AvroToJson = (bytes: Buffer, from: number, to: number) => number;

interface Source {
  bytes: Buffer;
  at: number;
  end: number;
  depth: number;
}
type Step = (source: Source) => void;

const DEPTH_MAX = 128;
/** A decimal of 38 digits takes 16; reading a number takes time that grows with the square of its length. */
const DECIMAL_BYTES_MAX = 64;
const INT_MAX = 0x7fff_ffff;
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET, COMMA, COLON] = [0x7b, 0x7d, 0x5b, 0x5d, 0x2c, 0x3a];
/** Above this a sum of seven-bit pieces is not exact. */
const EXACT_FACTOR_MAX = 2 ** 42;

export function avroToJson(type: ResolvedType, sink: JsonSink): AvroToJson {
  const step = compile(type, { sink, known: new Map() });
  const source: Source = { bytes: Buffer.alloc(0), at: 0, end: 0, depth: 0 };
  return (bytes, from, to) => {
    source.bytes = bytes;
    source.at = from;
    source.end = to;
    source.depth = 0;
    sink.clear();
    step(source);
    if (!isUtf8(sink.bytes.subarray(0, sink.used))) throw new AvroDataError('a string is not valid UTF-8');
    return source.at;
  };
}

interface Compiler {
  readonly sink: JsonSink;
  /** Records that are compiled or being compiled. */
  readonly known: Map<ResolvedType, Step>;
}

function compile(type: ResolvedType, compiler: Compiler): Step {
  const { sink } = compiler;
  switch (type.kind) {
    case 'null':
      return () => sink.ascii('null');
    case 'boolean':
      return (source) => sink.ascii(booleanAt(source) ? 'true' : 'false');
    case 'int':
      return (source) => sink.ascii(String(intAt(source)));
    case 'long':
      return (source) => sink.ascii(longAt(source));
    case 'float':
      return (source) => number(sink, source.bytes.readFloatLE(take(source, 4)));
    case 'double':
      return (source) => number(sink, source.bytes.readDoubleLE(take(source, 8)));
    case 'string':
      return (source) => textAt(source, sink);
    case 'bytes':
      return bytesStep(type, sink, lengthAt);
    case 'fixed':
      return bytesStep(type, sink, () => type.size);
    case 'enum':
      return enumStep(type.symbols, sink);
    case 'array':
      return arrayStep(compile(type.items, compiler), sink);
    case 'map':
      return mapStep(compile(type.values, compiler), sink);
    case 'union':
      return unionStep(type.branches.map((branch) => compile(branch, compiler)));
    default:
      return recordStep(type, compiler);
  }
}

function recordStep(type: ResolvedType & { readonly fields: readonly FieldType[] }, compiler: Compiler): Step {
  const known = compiler.known.get(type);
  if (known !== undefined) return known;
  const { sink } = compiler;
  const fields: { readonly opening: Buffer; readonly step: Step }[] = [];
  const step: Step = (source) => {
    deeper(source);
    sink.byte(OPEN_BRACE);
    for (const field of fields) {
      sink.copy(field.opening);
      field.step(source);
    }
    sink.byte(CLOSE_BRACE);
    source.depth--;
  };
  compiler.known.set(type, step);
  for (const [i, field] of type.fields.entries()) {
    const opening = Buffer.from(`${i === 0 ? '' : ','}${JSON.stringify(field.name)}:`);
    fields.push({ opening, step: compile(field.type, compiler) });
  }
  return step;
}

function arrayStep(item: Step, sink: JsonSink): Step {
  return (source) => {
    deeper(source);
    sink.byte(OPEN_BRACKET);
    let first = true;
    for (let count = blockAt(source); count > 0; count = blockAt(source)) {
      for (; count > 0; count--) {
        if (!first) sink.byte(COMMA);
        first = false;
        item(source);
      }
    }
    sink.byte(CLOSE_BRACKET);
    source.depth--;
  };
}

function mapStep(value: Step, sink: JsonSink): Step {
  return (source) => {
    deeper(source);
    sink.byte(OPEN_BRACE);
    let first = true;
    for (let count = blockAt(source); count > 0; count = blockAt(source)) {
      for (; count > 0; count--) {
        if (!first) sink.byte(COMMA);
        first = false;
        textAt(source, sink);
        sink.byte(COLON);
        value(source);
      }
    }
    sink.byte(CLOSE_BRACE);
    source.depth--;
  };
}

function unionStep(branches: readonly Step[]): Step {
  return (source) => {
    const branch = branches[smallAt(source)];
    if (branch === undefined) throw fault(source, 'a union has no such branch');
    deeper(source);
    branch(source);
    source.depth--;
  };
}

function enumStep(symbols: readonly string[], sink: JsonSink): Step {
  const texts = symbols.map((symbol) => Buffer.from(JSON.stringify(symbol)));
  return (source) => {
    const text = texts[smallAt(source)];
    if (text === undefined) throw fault(source, 'an enum has no such symbol');
    sink.copy(text);
  };
}

function bytesStep({ logical, scale = 0 }: Logical, sink: JsonSink, lengthOf: (source: Source) => number): Step {
  return (source) => {
    const length = lengthOf(source);
    const from = take(source, length);
    if (logical === 'decimal') {
      if (length > DECIMAL_BYTES_MAX) throw fault(source, `a decimal of ${length} bytes`);
      sink.ascii(`"${decimalText(source.bytes.toString('hex', from, from + length), scale)}"`);
    } else sink.base64(source.bytes, from, from + length);
  };
}

function decimalText(hex: string, scale: number): string {
  if (hex === '') return '0';
  const value = BigInt.asIntN(hex.length * 4, BigInt(`0x${hex}`));
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${value < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`;
}

function number(sink: JsonSink, value: number): void {
  if (!Number.isFinite(value)) sink.ascii(`"${value}"`);
  else sink.ascii(Object.is(value, -0) ? '-0' : String(value));
}

function textAt(source: Source, sink: JsonSink): void {
  const length = lengthAt(source);
  const from = take(source, length);
  sink.text(source.bytes, from, from + length);
}

function booleanAt(source: Source): boolean {
  const byte = source.bytes[take(source, 1)];
  if (byte !== 0 && byte !== 1) throw fault(source, 'a boolean is neither 0 nor 1');
  return byte === 1;
}

/** How many items follow; their size in bytes, told where the count is negative, is no news. */
function blockAt(source: Source): number {
  const count = smallAt(source);
  if (count >= 0) return count;
  smallAt(source);
  return -count;
}

function lengthAt(source: Source): number {
  const length = smallAt(source);
  if (length < 0) throw fault(source, 'a length below 0');
  return length;
}

function intAt(source: Source): number {
  const value = smallAt(source);
  if (value > INT_MAX || value < -INT_MAX - 1) throw fault(source, 'an int of more than 32 bits');
  return value;
}

/** A long that counts something; one beyond 2^49 cannot. */
function smallAt(source: Source): number {
  const folded = foldedAt(source);
  if (folded === undefined) throw fault(source, 'a count out of range');
  return folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
}

function longAt(source: Source): string {
  const from = source.at;
  const folded = foldedAt(source);
  if (folded !== undefined) return String(folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2);
  let value = 0n;
  let shift = 0n;
  let at = from;
  for (; ; at++, shift += 7n) {
    if (at >= source.end) throw fault(source, 'it ends too early');
    const byte = source.bytes[at] as number;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
    if (shift === 63n) throw fault(source, 'a long of more than 64 bits');
  }
  if (value >> 64n !== 0n) throw fault(source, 'a long of more than 64 bits');
  source.at = at + 1;
  return String((value & 1n) === 0n ? value >> 1n : -((value >> 1n) + 1n));
}

/** The number as it is written, its sign in the last bit; undefined, and nothing read, when it is large. */
function foldedAt(source: Source): number | undefined {
  const { bytes, end } = source;
  let at = source.at;
  let value = 0;
  for (let factor = 1; factor <= EXACT_FACTOR_MAX; factor *= 128) {
    if (at >= end) throw fault(source, 'it ends too early');
    const byte = bytes[at++] as number;
    if (byte < 0x80) {
      source.at = at;
      return value + byte * factor;
    }
    value += (byte & 0x7f) * factor;
  }
  return undefined;
}

/** Position of so many bytes, which are passed over. */
function take(source: Source, length: number): number {
  const from = source.at;
  if (length > source.end - from) throw fault(source, 'it ends too early');
  source.at = from + length;
  return from;
}

function deeper(source: Source): void {
  if (++source.depth > DEPTH_MAX) throw fault(source, `it is nested deeper than ${DEPTH_MAX} levels`);
}

function fault({ at }: Source, reason: string): AvroDataError {
  return new AvroDataError(`${reason} (at byte ${at})`);
}
