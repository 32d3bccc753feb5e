/**
 * The files of a delivery as a tree of its partitions, with files, rows, bytes and why files were closed. Pure. A chain of folders
 * with one child each is one line.
 */
import type { DataFile } from '../../app/control-answers.ts';
import { plural, size } from '../wording.ts';

export interface TreeNode {
  readonly name: string;
  files: number;
  rows: number;
  bytes: number;
  readonly reasons: Set<string>;
  readonly children: Map<string, TreeNode>;
}

const node = (name: string): TreeNode => ({
  name,
  files: 0,
  rows: 0,
  bytes: 0,
  reasons: new Set(),
  children: new Map(),
});

/** A tree of partitions under a root of the given name. */
export function partitionTree(root: string, files: Iterable<DataFile>): TreeNode {
  const top = node(root);
  for (const file of files) {
    let at = top;
    add(at, file);
    for (const segment of file.partition === '' ? [] : file.partition.split('/')) {
      let child = at.children.get(segment);
      if (child === undefined) {
        child = node(segment);
        at.children.set(segment, child);
      }
      at = child;
      add(at, file);
    }
  }
  return top;
}

function add(at: TreeNode, file: DataFile): void {
  at.files += 1;
  at.rows += file.rows;
  at.bytes += file.bytes;
  at.reasons.add(file.closedBecause);
}

interface Line {
  readonly level: number;
  readonly head: string;
  readonly of: TreeNode;
}

/** A tree of more lines than this is folded, and cut when even its first level has more. */
const LINES_MAX = 200;

/**
 * Lines of text. `depth` is the number of levels shown below the first line; without it, as many as fit in 200 lines. A line stands
 * for all that lies below it, so what is folded away is still counted.
 */
export function treeLines(top: TreeNode, depth?: number): string[] {
  const lines: Line[] = [];
  draw(top, { branch: '', indent: '', level: 0 }, lines);
  const deepest = lines.reduce((most, { level }) => Math.max(most, level), 0);
  const upTo = (wanted: number): Line[] => lines.filter(({ level }) => level <= wanted);
  let fitting = depth ?? deepest;
  if (depth === undefined) while (fitting > 1 && upTo(fitting).length > LINES_MAX) fitting -= 1;
  const open = upTo(fitting);
  const shown = depth === undefined ? open.slice(0, LINES_MAX) : open;
  const width = shown.reduce((most, { head }) => Math.max(most, head.length), 0);
  const text = shown.map(({ head, of }) => `${head.padEnd(width)}  ${facts(of)}`);
  const hidden = lines.length - shown.length;
  if (depth === undefined && hidden > 0)
    text.push(`… ${plural(hidden, 'more folder')}: --depth ${deepest} shows all, --under <partition> a part`);
  return text;
}

interface Place {
  readonly branch: string;
  readonly indent: string;
  readonly level: number;
}

function draw(at: TreeNode, { branch, indent, level }: Place, lines: Line[]): void {
  let name = at.name;
  let end = at;
  while (end.children.size === 1) {
    end = end.children.values().next().value as TreeNode;
    name += `/${end.name}`;
  }
  lines.push({ level, head: `${indent}${branch}${name}/`, of: end });
  const deeper = branch === '' ? indent : `${indent}${branch === '└─ ' ? '   ' : '│  '}`;
  const children = [...end.children.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [position, child] of children.entries()) {
    const last = position === children.length - 1;
    draw(child, { branch: last ? '└─ ' : '├─ ', indent: deeper, level: level + 1 }, lines);
  }
}

function facts(of: TreeNode): string {
  const rows = plural(of.rows, 'row').padStart(14);
  const files = plural(of.files, 'file').padStart(12);
  return `${rows}${files}  ${size(of.bytes).padStart(9)}  closed by ${[...of.reasons].toSorted().join(', ') || '-'}`;
}
