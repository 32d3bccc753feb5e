import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { OVERRIDES } from '../../src/config/overrides.ts';
import { configJsonSchema, configTable } from '../../src/config/schema-documents.ts';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

describe('the schema of the configuration', () => {
  test('is what schemas/lakeward.schema.json holds (npm run docs:config)', () => {
    expect(JSON.parse(read('schemas/lakeward.schema.json'))).toEqual(configJsonSchema());
  });

  test('requires of a file only what nothing stands in for', () => {
    const schema = configJsonSchema() as {
      required?: unknown;
      properties: Record<string, { items?: { required?: unknown } }>;
    };
    expect(schema.required).toBeUndefined();
    expect(schema.properties['streams']?.items?.required).toEqual(['name']);
    expect(JSON.stringify(schema)).not.toContain('"notes"');
  });

  test('has fewer than 50 keys, each with a meaning and what it accepts', () => {
    const rows = configTable();
    expect(rows.length).toBeLessThan(50);
    for (const row of rows) {
      expect(row).toEqual({
        key: row.key,
        default: expect.any(String),
        accepted: expect.stringMatching(/./),
        meaning: expect.stringMatching(/\.$/),
      });
    }
  });

  test('holds every key that flags and variables set, under the name of the variable', () => {
    const keys = configTable().map(({ key }) => key);
    for (const { key, variable } of OVERRIDES) {
      expect(keys).toContain(key);
      expect(variable).toBe(`LAKEWARD_${key.replaceAll('.', '_').toUpperCase()}`);
    }
  });
});

describe('README', () => {
  const readme = read('README.md');

  test.each(configTable())('lists the key $key with its default', ({ key, default: byDefault }) => {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${key}\` |`));
    // `npm run docs:config` prints the table.
    expect(row ?? `no row for ${key}`).toContain(`| \`${key}\` | ${byDefault} |`);
  });
});
