/**
 * Reads TypeScript files into the facts that the architecture rules judge: what a file imports, which globals it uses, how long
 * its functions are, which classes it declares. It judges nothing itself. Facts come from a real parser, so text in strings and
 * comments never counts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'oxc-parser';

interface Located {
  readonly line: number;
}

export interface ImportFact extends Located {
  readonly specifier: string;
}

/** A free-standing or dotted name in an expression, for instance `Date.now`, `setTimeout`, `new Date()`. */
interface UseFact extends Located {
  readonly name: string;
}

interface FunctionFact extends Located {
  readonly name: string;
  /** Its lines without the lines of the functions inside it, so that a factory is judged by its own code. */
  readonly ownLines: number;
}

interface ClassFact extends Located {
  readonly name: string;
  readonly extendsName: string | undefined;
}

export interface SourceFile {
  /** From the root of the repository, `/` between segments. */
  readonly path: string;
  readonly lines: number;
  readonly startsWithComment: boolean;
  readonly imports: readonly ImportFact[];
  readonly uses: readonly UseFact[];
  readonly functions: readonly FunctionFact[];
  readonly classes: readonly ClassFact[];
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

interface Collected {
  readonly imports: ImportFact[];
  readonly uses: UseFact[];
  readonly functions: FunctionFact[];
  readonly classes: ClassFact[];
}

/** Parses one file. Fails on a syntax error, naming the file. */
export function parseSource(path: string, text: string): SourceFile {
  const { program, errors } = parseSync(path, text);
  const problem = errors[0];
  if (problem !== undefined) throw new Error(`${path}: ${problem.message}`);
  const facts: Collected = { imports: [], uses: [], functions: [], classes: [] };
  walk(program as unknown as Node, lineCounter(text), facts);
  return {
    path,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    startsWithComment: /^(#![^\n]*\n)?\s*\/[*/]/.test(text),
    ...facts,
  };
}

/** Every `.ts` file below a folder of the repository, in order of path. */
export function readSources(root: string, folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts'))
    .toSorted()
    .map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

function lineCounter(text: string): (position: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (position) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= position) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

/** Visits a node and what is below it; returns how many lines its outermost functions hold beyond their first. */
function walk(node: Node, lineAt: (position: number) => number, facts: Collected): number {
  collect(node, lineAt(node.start), facts);
  let nested = 0;
  for (const child of children(node)) nested += walk(child, lineAt, facts);
  if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return nested;
  const line = lineAt(node.start);
  const lines = lineAt(node.end) - line;
  facts.functions.push({ name: nameOf(node['id']) ?? 'a function', line, ownLines: lines + 1 - nested });
  return lines;
}

function children(node: Node): Node[] {
  if (node.type === 'MemberExpression' && dottedName(node) !== undefined) return [];
  const found: Node[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (isPlainName(node, key)) continue;
    for (const item of Array.isArray(value) ? value : [value]) if (isNode(item)) found.push(item);
  }
  return found;
}

/** True where an identifier is a label (a property's, an import's) and not a reference. */
function isPlainName(node: Node, key: string): boolean {
  if (node.type === 'MemberExpression') return key === 'property' && node['computed'] !== true;
  if (/^(Property|MethodDefinition|PropertyDefinition)$/.test(node.type)) {
    return key === 'key' && node['computed'] !== true;
  }
  return node.type.startsWith('TS') && /^(key|typeName|exprName|id)$/.test(key);
}

function collect(node: Node, line: number, facts: Collected): void {
  const specifier = importedSpecifier(node);
  if (specifier !== undefined) facts.imports.push({ specifier, line });
  if (node.type === 'MemberExpression' || node.type === 'Identifier') {
    const name = dottedName(node);
    if (name !== undefined) facts.uses.push({ name, line });
  }
  if (node.type === 'NewExpression' && (node['arguments'] as unknown[]).length === 0) {
    facts.uses.push({ name: `new ${dottedName(node['callee'] as Node) ?? ''}()`, line });
  }
  if (node.type === 'CallExpression') facts.uses.push({ name: `${dottedName(node['callee'] as Node) ?? ''}()`, line });
  if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') {
    facts.classes.push({ name: nameOf(node['id']) ?? 'a class', extendsName: nameOf(node['superClass']), line });
  }
}

function importedSpecifier(node: Node): string | undefined {
  if (!/^(Import|ExportNamed|ExportAll)(Declaration|Expression)$|^TSImportType$/.test(node.type)) return undefined;
  const source = node['source'] ?? node['argument'];
  const literal = isNode(source) && isNode(source['literal']) ? source['literal'] : source;
  return isNode(literal) && typeof literal['value'] === 'string' ? literal['value'] : undefined;
}

/** `process.env` for `process.env` and `globalThis.process.env`; undefined for what is not a chain of plain names. */
function dottedName(node: Node): string | undefined {
  if (node.type === 'Identifier') return nameOf(node);
  if (node.type === 'ChainExpression') return dottedName(node['expression'] as Node);
  if (node.type !== 'MemberExpression') return undefined;
  const object = dottedName(node['object'] as Node);
  const property = node['property'] as Node;
  const last = node['computed'] === true ? property['value'] : property['name'];
  if (object === undefined || typeof last !== 'string') return undefined;
  return object === 'globalThis' || object === 'global' ? last : `${object}.${last}`;
}

function nameOf(node: unknown): string | undefined {
  return isNode(node) && typeof node['name'] === 'string' ? node['name'] : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}
