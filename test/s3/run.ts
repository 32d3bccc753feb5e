/** `npm run test:s3 -- minio`: installs the named S3 server when needed and runs every test on S3 that asks for no particular server against it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { install, S3_KINDS } from '../../infra/dev/s3-install.ts';

const [, , name = '', ...rest] = process.argv;
const kind = S3_KINDS.find((one) => one === name);
if (kind === undefined) {
  console.error(`usage: npm run test:s3 -- ${S3_KINDS.join('|')} [vitest arguments]`);
  process.exitCode = 2;
} else {
  await install(kind);
  const files = rest.length > 0 ? rest : ['test/s3/'];
  const child = spawn('npx', ['vitest', 'run', '--config', '.vitest.config.ts', ...files], {
    stdio: 'inherit',
    env: { ...process.env, LAKEWARD_TEST_S3: kind },
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}
