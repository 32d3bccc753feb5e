/**
 * How a file may look, and what it may not reach for: lengths, names, head comments, classes, and the fence around everything
 * that makes a run unrepeatable (time, timers, chance, the environment).
 */
import { roomOf, within } from './import-rules.ts';
import type { SourceFile } from './source-file.ts';

const SOURCE_LINES_MAX = 400;
const TEST_LINES_MAX = 600;
const MAIN_LINES_MAX = 60;
const FUNCTION_LINES_MAX = 60;

const VAGUE_NAMES = new Set(['utils', 'util', 'helpers', 'helper', 'manager', 'base', 'common', 'misc']);

interface Fence {
  readonly names: RegExp;
  readonly places: readonly string[];
}

const FENCES: readonly Fence[] = [
  {
    names: /^(Date\.now|new Date\(\)|Date\(\)|performance\.now|process\.(hrtime(\.bigint)?|uptime))$/,
    places: ['clock', 'schedule'],
  },
  { names: /^(setTimeout|setInterval|setImmediate|AbortSignal\.timeout)$/, places: ['clock', 'schedule'] },
  {
    names: /^(Math\.random|(.+\.)?(random(UUID(v7)?|Bytes|Int|Fill(Sync)?)|getRandomValues))$/,
    places: ['clock', 'schedule'],
  },
  { names: /^process\.env(\..+)?$/, places: ['config'] },
];

/** Complaints about the shape of files of `src/` and `test/`. */
export function shapeComplaints(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => [
    ...lengths(file),
    ...names(file),
    ...(file.startsWithComment || !file.path.startsWith('src/') ? [] : [`${file.path}: a head comment is missing`]),
    ...file.classes
      .filter((fact) => file.path.startsWith('src/') && fact.extendsName?.endsWith('Error') !== true)
      .map((fact) => `${file.path}:${fact.line} class ${fact.name}: only errors are classes, use a factory`),
  ]);
}

/** Complaints about hidden time, chance and environment in files of `src/`. */
export function fenceComplaints(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    file.uses.flatMap(({ name, line }) => {
      const fence = FENCES.find(({ names: pattern }) => pattern.test(name));
      if (fence === undefined || within(file.path, fence.places)) return [];
      return [`${file.path}:${line} uses ${name}: only ${fence.places.join(', ')} may`];
    }),
  );
}

function lengths(file: SourceFile): string[] {
  const inSource = file.path.startsWith('src/');
  const max = file.path === 'src/main.ts' ? MAIN_LINES_MAX : inSource ? SOURCE_LINES_MAX : TEST_LINES_MAX;
  const found = file.lines > max ? [`${file.path} has ${file.lines} lines, at most ${max}`] : [];
  if (!inSource) return found;
  for (const { name, line, ownLines } of file.functions) {
    if (ownLines <= FUNCTION_LINES_MAX) continue;
    found.push(`${file.path}:${line} ${name} has ${ownLines} lines of its own, at most ${FUNCTION_LINES_MAX}`);
  }
  return found;
}

function names(file: SourceFile): string[] {
  const found: string[] = [];
  const words = file.path.split('/').flatMap((part) => part.replace(/(\.\w+)?\.ts$/, '').split('-'));
  const vague = words.find((word) => VAGUE_NAMES.has(word));
  if (vague !== undefined) found.push(`${file.path}: '${vague}' names no concept`);
  if (file.path.endsWith('/index.ts') && roomOf(file.path) !== 'index.ts') found.push(`${file.path}: barrel file`);
  return found;
}
