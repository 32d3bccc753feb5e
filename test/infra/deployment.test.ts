/** Image, compose file and Kubernetes manifests, as far as they can be judged without an engine: what they name exists and fits together. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { KAFKA_JARS } from '../../infra/dev/kafka-install.ts';
import { loadConfig } from '../../src/config/load.ts';
import { temporaryServer } from '../app/temporary-server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the image', () => {
  const lines = read('infra/Dockerfile').split('\n');
  const ignored = read('.dockerignore').split('\n');

  test('copies only what is there and what reaches the build', () => {
    const sources = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(' ').slice(1, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
    expect(sources.filter((source) => !ignored.includes(`!${source.replace('./', '')}`))).toEqual([]);
  });

  test('runs the compiled program, as a user without rights', () => {
    expect(lines).toContain('ENTRYPOINT ["node", "/opt/lakeward/dist/main.js"]');
    const { outDir } = (parse(read('.tsconfig.build.json')) as { compilerOptions: { outDir: string } }).compilerOptions;
    expect(outDir.replace('./', '')).toBe('dist');
    const user = lines.lastIndexOf('USER node');
    expect(user).toBeGreaterThan(lines.findLastIndex((line) => line.startsWith('FROM ')));
    expect(user).toBeLessThan(lines.findIndex((line) => line.startsWith('ENTRYPOINT')));
  });

  test('asks for its health in a way that tells a server that answers from none', async () => {
    const command = lines.find((line) => line.includes('CMD ["node", "-e"'))?.replace(/^\s*CMD /, '') ?? '[]';
    const server = await temporaryServer();
    const [, ...args] = (JSON.parse(command) as string[]).map((word) =>
      word.replace('http://127.0.0.1:4567', server.url),
    );
    const ask = (): Promise<unknown> => promisify(execFile)(process.execPath, args);
    await ask();
    await server.close();
    await expect(ask()).rejects.toMatchObject({ code: 1 });
  });
});

interface Service {
  readonly image?: string;
  readonly build?: { readonly dockerfile: string };
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly command?: readonly unknown[];
}

describe('docker-compose.yml', () => {
  const { services, volumes } = parse(read('docker-compose.yml'), { merge: true }) as {
    services: Readonly<Record<string, Service>>;
    volumes: Readonly<Record<string, unknown>>;
  };
  const all = Object.entries(services);
  const members = all.filter(([name]) => /^(ingest|deliver)-\d$/.test(name));
  const needs = ({ depends_on: on = {} }: Service): [string, string][] =>
    Array.isArray(on)
      ? (on as string[]).map((name) => [name, 'service_started'])
      : Object.entries(on).map(([name, { condition }]) => [name, condition]);

  test('has two processes that take records and two that land, with the engines they need healthy first', () => {
    expect(members.map(([name, { environment }]) => [name, environment?.['LAKEWARD_ROLES']])).toEqual([
      ['ingest-1', 'ingest'],
      ['ingest-2', 'ingest'],
      ['deliver-1', 'deliver,compact'],
      ['deliver-2', 'deliver,compact'],
    ]);
    for (const [, member] of members) {
      expect(needs(member)).toEqual(['kafka', 's3', 'redis'].map((name) => [name, 'service_healthy']));
      expect(member.environment).toMatchObject({ AWS_ACCESS_KEY_ID: services['s3']?.command?.[3] });
    }
  });

  test('waits only for services that are there and can become what is waited for', () => {
    for (const [name, service] of all) {
      for (const [needed, condition] of needs(service)) {
        expect(services[needed], `${name} needs ${needed}`).toBeDefined();
        const isOnce = services[needed]?.restart === undefined;
        if (condition === 'service_healthy') {
          expect(services[needed]?.healthcheck ?? services[needed]?.build).toBeDefined();
        }
        expect(condition === 'service_completed_successfully').toBe(isOnce);
      }
    }
  });

  test('lets only this machine in, at ports of their own', () => {
    const ports = all.flatMap(([, { ports: published = [] }]) => published);
    expect(ports.length).toBeGreaterThan(4);
    expect(ports.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port))).toEqual([]);
    expect(new Set(ports.map((port) => port.split(':')[1])).size).toBe(ports.length);
  });

  test('mounts what is there, pins its images, and runs the Kafka that the tests run', () => {
    for (const [name, { volumes: mounts = [], image = '', build }] of all) {
      for (const mount of mounts) {
        const [from = ''] = mount.split(':');
        expect(from.startsWith('./') ? existsSync(join(root, from)) : from in volumes, `${name}: ${mount}`).toBe(true);
      }
      if (build === undefined) expect(image).toMatch(/:v?\d+\.\d+/);
      else expect(existsSync(join(root, build.dockerfile))).toBe(true);
    }
    expect(KAFKA_JARS.endsWith((services['kafka']?.image ?? '').replace('apache/kafka:', 'kafka-'))).toBe(true);
  });

  test('gives a server alone without starting the rest', () => {
    expect(services['lakeward']?.profiles).toEqual(['single']);
    expect(needs(services['lakeward'] ?? {})).toEqual([]);
    expect(all.filter(([, { profiles }]) => profiles !== undefined)).toHaveLength(1);
  });

  test('configures processes that find the engines by the names of the services', async () => {
    const file = join(root, 'infra/compose/lakeward.yaml');
    const config = await loadConfig({ file, env: { LAKEWARD_ROLES: 'deliver,compact' } });
    expect(config.kafka?.bootstrap).toEqual(['kafka:9092']);
    expect(config.redis?.url).toBe('redis://redis:6379');
    const bucket = 's3' in config.lake ? config.lake.s3 : undefined;
    expect(bucket?.endpoint).toBe(`http://s3${String(services['s3']?.command?.[1])}`);
    expect(services['bucket']?.command).toContain(`/data/${bucket?.bucket}`);
  });

  test('has Prometheus collect from every process', () => {
    const { scrape_configs: scraped } = parse(read('infra/prometheus/prometheus.yml')) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const targets = scraped.flatMap((one) => one.static_configs.flatMap((group) => group.targets));
    expect(targets).toEqual(members.map(([name]) => `${name}:4567`));
  });
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  // oxlint-disable-next-line typescript/no-explicit-any -- as written by hand, looked into by path
  readonly spec: any;
}

describe('the Kubernetes manifests', () => {
  const folder = join(root, 'infra/kubernetes');
  const { resources, configMapGenerator } = parse(read('infra/kubernetes/kustomization.yaml')) as {
    resources: readonly string[];
    configMapGenerator: readonly { name: string; files: readonly string[] }[];
  };
  const manifests = resources.flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => document.toJS() as Manifest),
  );
  const ofKind = (kind: string): Manifest[] => manifests.filter((manifest) => manifest.kind === kind);
  const pods = ofKind('Deployment').map(({ metadata, spec }) => ({
    name: metadata.name,
    labels: spec.template.metadata.labels,
    pod: spec.template.spec,
    container: spec.template.spec.containers[0],
  }));

  test('are all applied, but for the example of a secret', () => {
    const files = readdirSync(folder).filter((file) => !/^(kustomization|lakeward|secret\.example)\.yaml$/.test(file));
    expect([...resources].toSorted()).toEqual(files.toSorted());
  });

  test('select the processes they mean', () => {
    for (const { spec } of ofKind('Deployment'))
      expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
    const selectors = [
      ...ofKind('PodDisruptionBudget').map(({ spec }) => spec.selector.matchLabels),
      ...ofKind('Service').map(({ spec }) => spec.selector),
    ];
    for (const selector of selectors) expect(pods.map(({ labels }) => labels)).toContainEqual(selector);
    expect(ofKind('PodDisruptionBudget').map(({ metadata }) => metadata.name)).toEqual(pods.map(({ name }) => name));
    const [scaler] = ofKind('HorizontalPodAutoscaler');
    expect(pods.map(({ name }) => name)).toContain(scaler?.spec.scaleTargetRef.name);
  });

  test('give a process time to land what waits before it is killed', async () => {
    const config = await loadConfig({ file: join(folder, 'lakeward.yaml'), env: secrets() });
    for (const { pod, container } of pods) {
      const beforeMs = container.lifecycle.preStop.sleep.seconds * 1_000;
      expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(config.server.drainMs + beforeMs + 10_000);
    }
  });

  test('configure processes with the roles of their names, a writable data folder of their own, and keys from the secret', async () => {
    for (const { name, pod, container } of pods) {
      const env = Object.fromEntries(
        container.env.map((one: { name: string; value: string }) => [one.name, one.value]),
      );
      const config = await loadConfig({ file: join(folder, 'lakeward.yaml'), env: { ...secrets(), ...env } });
      expect(config.roles[0]).toBe(name);
      expect(config.server.keys).toHaveLength(1);
      expect(config.redis?.url).toMatch(/^redis/);
      const mount = container.volumeMounts.find((one: { mountPath: string }) =>
        config.data.folder.startsWith(one.mountPath),
      );
      expect(pod.volumes.find((one: { name: string }) => one.name === mount?.name)).toHaveProperty('emptyDir');
      expect(container.args).toEqual(['serve', '--config', `/etc/lakeward/${configMapGenerator[0]?.files[0]}`]);
      expect(container.envFrom).toEqual([{ secretRef: { name: 'lakeward' } }]);
      const memoryMb = Number.parseInt(container.resources.limits.memory, 10) * 1024;
      const needsMb = name === 'ingest' ? 512 : config.convert.engines * (config.convert.memoryBytes >> 20) + 1024;
      expect(memoryMb).toBeGreaterThanOrEqual(needsMb);
    }
  });

  test('ask for health where it is told, at the port that is served, and run without rights', async () => {
    const config = await loadConfig({ file: join(folder, 'lakeward.yaml'), env: secrets() });
    for (const { pod, container } of pods) {
      expect(container.ports).toEqual([{ name: 'http', containerPort: config.server.port }]);
      const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
      expect(probes.map(({ httpGet }) => httpGet)).toEqual([
        { path: '/healthz', port: 'http' },
        { path: '/healthz', port: 'http' },
        { path: '/readyz', port: 'http' },
      ]);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
      expect(container.securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
      });
    }
  });

  function secrets(): Record<string, string> {
    return (parse(readFileSync(join(folder, 'secret.example.yaml'), 'utf8')) as { stringData: Record<string, string> })
      .stringData;
  }
});
