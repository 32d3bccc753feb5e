import { expect, test } from 'vitest';
import type { DataFile } from '../../src/app/control-answers.ts';
import { partitionTree, treeLines } from '../../src/cli/lake/tree.ts';
import { lakePath } from '../../src/model/lake-path.ts';

function file(partition: string, rows: number, closedBecause: DataFile['closedBecause'] = 'age'): DataFile {
  const path = lakePath(`clicks/${partition === '' ? '' : `${partition}/`}f-${rows}.parquet`);
  const facts = { checksum: '00000000', eventMinMs: 0, eventMaxMs: 0, planVersion: 1, columns: [] };
  return { path, partition, rows, bytes: rows * 10, closedBecause, ...facts };
}

test('a tree folds chains of single folders, adds up, and says why files were closed', () => {
  const files = [file('year=2026/month=11/day=21/hour=23', 5), file('year=2026/month=11/day=22/hour=00', 7, 'bytes')];
  const lines = treeLines(partitionTree('clicks', [...files, file('year=2026/month=11/day=22/hour=01', 1_000_000)]));
  expect(lines.map((line) => line.replace(/ {2,}/g, ' | '))).toEqual(
    [
      'clicks/year=2026/month=11/ | 1,000,012 rows | 3 files | 9.5 MiB | closed by age, bytes',
      '├─ day=21/hour=23/ | 5 rows | 1 file | 50 B | closed by age',
      '└─ day=22/ | 1,000,007 rows | 2 files | 9.5 MiB | closed by age, bytes',
      '├─ hour=00/ | 7 rows | 1 file | 70 B | closed by bytes',
      '└─ hour=01/ | 1,000,000 rows | 1 file | 9.5 MiB | closed by age',
    ].map((line, i) => (i < 3 ? line : ` | ${line}`)),
  );
});

test('a tree of more lines than a person reads is folded, counts all the same, and says how to open it', () => {
  const hours = Array.from({ length: 240 }, (_, i) => file(`day=${Math.floor(i / 24)}/hour=${i % 24}`, 1));
  const tree = partitionTree('clicks', hours);
  const folded = treeLines(tree);
  expect(folded).toHaveLength(12);
  expect(folded[1]).toMatch(/^├─ day=0\/ +24 rows +24 files/);
  expect(folded.at(-1)).toBe('… 240 more folders: --depth 2 shows all, --under <partition> a part');
  expect(treeLines(tree, 2)).toHaveLength(251);
  expect(treeLines(tree, 0)).toEqual([expect.stringMatching(/^clicks\/ +240 rows/)]);
  const flat = treeLines(
    partitionTree(
      'clicks',
      Array.from({ length: 1000 }, (_, i) => file(`id=${i}`, 1)),
    ),
  );
  expect(flat).toHaveLength(201);
  expect(flat[1]).toMatch(/ 1 row +1 file /);
  expect(flat.at(-1)).toContain('801 more folders');
});

test('files without a partition lie in the root', () => {
  expect(treeLines(partitionTree('clicks', [file('', 3)]))).toEqual([
    expect.stringMatching(/^clicks\/ +3 rows +1 file/),
  ]);
});
