/**
 * The files of a delivery as a tree of its partitions, with files, rows, bytes and why files were closed. Pure. A chain of folders
 * with one child each is one line.
 */
import type { DataFile } from '../../app/control-answers.ts';
import { count, plural, size } from '../wording.ts';

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
  readonly head: string;
  readonly of: TreeNode;
}

/** Lines of text; at most `linesMax` of them, the rest is counted. */
export function treeLines(top: TreeNode, linesMax = Number.POSITIVE_INFINITY): string[] {
  const lines: Line[] = [];
  draw(top, '', '', lines);
  const shown = lines.slice(0, linesMax);
  const width = Math.max(...shown.map(({ head }) => head.length));
  const text = shown.map(({ head, of }) => `${head.padEnd(width)}  ${facts(of)}`);
  if (lines.length > shown.length) text.push(`… and ${plural(lines.length - shown.length, 'more folder')}`);
  return text;
}

function draw(at: TreeNode, branch: string, indent: string, lines: Line[]): void {
  let name = at.name;
  let end = at;
  while (end.children.size === 1) {
    end = end.children.values().next().value as TreeNode;
    name += `/${end.name}`;
  }
  lines.push({ head: `${indent}${branch}${name}/`, of: end });
  const deeper = branch === '' ? indent : `${indent}${branch === '└─ ' ? '   ' : '│  '}`;
  const children = [...end.children.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [position, child] of children.entries()) {
    draw(child, position === children.length - 1 ? '└─ ' : '├─ ', deeper, lines);
  }
}

function facts(of: TreeNode): string {
  const rows = `${count(of.rows)} rows`.padStart(14);
  const files = plural(of.files, 'file').padStart(12);
  return `${rows}${files}  ${size(of.bytes).padStart(9)}  closed by ${[...of.reasons].toSorted().join(', ') || '-'}`;
}
