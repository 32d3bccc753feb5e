/** `npm run docs:config`: writes the JSON Schema of the configuration file and prints the tables that README holds: keys, and what may be set over the file. */
import { writeFileSync } from 'node:fs';
import { OVERRIDES } from '../../src/config/overrides.ts';
import { configJsonSchema, configTable } from '../../src/config/schema-documents.ts';

const schema = new URL('../../schemas/lakeward.schema.json', import.meta.url);
writeFileSync(schema, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
console.log('| key | default | accepted | meaning |\n|---|---|---|---|');
for (const row of configTable()) {
  console.log(`| \`${row.key}\` | ${row.default} | ${row.accepted.replaceAll('|', '\\|')} | ${row.meaning} |`);
}
console.log('\n| key | flag of `serve` | environment |\n|---|---|---|');
for (const { key, flag, variable } of OVERRIDES) {
  console.log(`| \`${key}\` | ${flag === undefined ? '' : `\`--${flag}\``} | \`${variable}\` |`);
}
