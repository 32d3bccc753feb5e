/**
 * An S3 server for a developer: `npm run dev:s3 -- versitygw start [folder] | stop | install` (or moto, minio, s3rver). `start` installs
 * it when needed, makes the bucket `lake`, prints how to reach it, and leaves it running; `stop` ends it by the pid `start` noted.
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CACHE, install, S3_KINDS, type S3Kind } from './s3-install.ts';
import { type S3Address, startS3Server } from './s3-server.ts';

const BUCKET = 'lake';
const [, , kind = '', action = '', folder] = process.argv;

function noteOf(kind: S3Kind): string {
  return join(CACHE, 'dev', `${kind}.json`);
}

function running(kind: S3Kind): S3Address | undefined {
  try {
    const address = JSON.parse(readFileSync(noteOf(kind), 'utf8')) as S3Address;
    process.kill(address.pid, 0);
    return address;
  } catch {
    return undefined;
  }
}

async function start(kind: S3Kind): Promise<S3Address> {
  const there = running(kind);
  if (there !== undefined) return there;
  await install(kind);
  const home = resolve(folder ?? join(CACHE, 'dev', kind));
  const address: S3Address = await startS3Server(kind, { folder: home, detached: true });
  mkdirSync(join(CACHE, 'dev'), { recursive: true });
  writeFileSync(noteOf(kind), `${JSON.stringify(address, null, 2)}\n`);
  const { endpoint, region, ...credentials } = address;
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET })).catch((error: unknown) => {
    if (!(error instanceof Error) || !/AlreadyOwnedByYou|AlreadyExists/.test(error.name)) throw error;
  });
  client.destroy();
  return address;
}

function print(address: S3Address): void {
  process.stdout.write(
    `${address.kind} runs as pid ${address.pid} at ${address.endpoint}, bucket ${BUCKET}\n` +
      `export AWS_ACCESS_KEY_ID=${address.accessKeyId} AWS_SECRET_ACCESS_KEY=${address.secretAccessKey} AWS_REGION=${address.region}\n`,
  );
}

const known = S3_KINDS.find((one) => one === kind);
if (known !== undefined && action === 'install') await install(known);
else if (known !== undefined && action === 'start') print(await start(known));
else if (known !== undefined && action === 'stop') {
  const address = running(known);
  if (address !== undefined) process.kill(address.pid, 'SIGTERM');
  rmSync(noteOf(known), { force: true });
} else {
  process.stderr.write(`usage: npm run dev:s3 -- ${S3_KINDS.join('|')} start [folder]|stop|install\n`);
  process.exitCode = 2;
}
