/**
 * The only place that picks implementations and joins the stages: a process with the roles it is told, alone or one of several, its streams in
 * the data folder or on Kafka, its lake in a folder or a bucket. Opening goes down the list, closing goes up it, so the order of both is written once: the front door closes first and finishes its requests, then the
 * deliveries land what fits into the grace, then engines, broker and at last the lock.
 */
import { hostname } from 'node:os';
import { lockFolder } from '../broker/embedded/folder-lock.ts';
import { secretBytes } from '../clock/secret-bytes.ts';
import { systemClock } from '../clock/system-clock.ts';
import type { Config } from '../config/load.ts';
import { duckdbConverter } from '../convert/duckdb-converter.ts';
import { createDeliveries } from '../delivery/deliveries.ts';
import { checkDeclaration } from '../delivery/documents.ts';
import { createFrontDoor } from '../ingest/front-door.ts';
import { createStreams } from '../ingest/streams.ts';
import { openKeyRing } from '../lake/encrypt/key-ring.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { isLakewardError } from '../model/errors.ts';
import type { SchemaText } from '../model/schema.ts';
import type { Broker } from '../ports/broker.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Catalog } from '../ports/catalog.ts';
import type { Clock } from '../ports/clock.ts';
import type { Compactions } from '../ports/compactions.ts';
import type { Converter } from '../ports/converter.ts';
import type { LakeCare } from '../ports/lake-care.ts';
import type { LakeDesk } from '../ports/lake-desk.ts';
import type { ProcessReport } from '../ports/processes.ts';
import type { Scheduler } from '../ports/scheduler.ts';
import type { ShardGroups } from '../ports/shard-groups.ts';
import type { Schemas } from '../ports/schemas.ts';
import type { Telemetry } from '../ports/telemetry.ts';
import { intervalScheduler } from '../schedule/interval/interval-scheduler.ts';
import { schemaRegistry } from '../schema/registry.ts';
import { createTelemetry } from '../telemetry/telemetry.ts';
import { backgroundTasks, type TaskRoom } from './background-tasks.ts';
import { openBroker } from './broker-place.ts';
import { carePlace } from './care-place.ts';
import { releaseHeld } from '../compaction/release.ts';
import { compactionPlace, STYLE } from './compaction-place.ts';
import { crashStep } from './crash-step.ts';
import { dataFolder } from './data-folder.ts';
import type { FollowedBroker } from './followed-broker.ts';
import { followedBroker } from './followed-broker.ts';
import { declaredSpecs } from './declared-deliveries.ts';
import { diskFacts } from './disk.ts';
import { lakeDesk } from './lake-desk.ts';
import { heardDeliveries, sharesHeard } from './heard-deliveries.ts';
import type { LakePlace } from './lake-place.ts';
import { lakePlace } from './lake-place.ts';
import { createNotifier, type OpenNotifier } from './notifier.ts';
import { offersOf } from './lake-offers.ts';
import type { LateLake } from './late-lake.ts';
import { lateLake } from './late-lake.ts';
import { isShared, openCatalog } from './open-catalog.ts';
import { openKnownLake } from './open-lake.ts';
import { packageVersion } from './package-version.ts';
import type { ProcessReports } from './process-reports.ts';
import { processReports } from './process-reports.ts';
import { scratchFolders } from './scratch-folders.ts';
import { sharedScheduler } from './shared-scheduler.ts';
import type { Shutdown } from './shutdown.ts';
import { startPatience, type WhenThere } from './start-patience.ts';
import { stopTimes } from './stop-times.ts';
import { createShutdown } from './shutdown.ts';

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly url: string;
}

export interface RunningServer {
  readonly address: ServerAddress;
  /** Stops accepting, finishes requests, lands what waits as far as the configured grace allows, releases everything. Idempotent. */
  close(reason: string): Promise<void>;
}

/** What later stages are built on, as soon as it is open. */
interface Ground {
  readonly config: Config;
  /** The deliveries of the configuration. */
  readonly declared: readonly DeliverySpec[];
  readonly clock: Clock;
  /** Names this run of the process to others. */
  readonly processId: string;
  readonly place: LakePlace;
  readonly telemetry: Telemetry;
  readonly shutdown: Shutdown;
  readonly whenThere: WhenThere;
}

interface Stores extends Ground {
  /** Its engines are starting. */
  readonly converter: Converter;
  readonly lake: LateLake;
  /** Absent for a process that is alone. */
  readonly reports: ProcessReports | undefined;
  readonly broker: Broker;
  /** Given where other processes append to the same streams. */
  readonly sharedStreams: FollowedBroker | undefined;
  readonly groups?: ShardGroups;
  readonly catalog: Catalog;
  readonly schemas: Schemas;
  readonly scheduler: Scheduler;
  readonly followTopics: TaskRoom['followTopics'];
  readonly notifier: OpenNotifier;
}

/** A server that takes records when it resolves; what it needs and does not answer is waited for until the abort. Whatever was opened before a failure is closed again. */
export async function startServer(config: Config, call: CallOptions = {}): Promise<RunningServer> {
  const declared = declaredSpecs(config);
  const clock = systemClock();
  const telemetry = createTelemetry({ level: config.telemetry.level });
  const shutdown = createShutdown({ clock, log: telemetry.log, withinMs: stopTimes(config.server.drainMs).allMs });
  const keys = await openKeyRing(config.lakeKeys, secretBytes);
  const place = lakePlace(config.lake, { clock, telemetry, keys });
  shutdown.opened('lake', async () => place.close());
  const startedMs = clock.nowMs();
  try {
    const processId = clock.uuid();
    const whenThere = startPatience({ config, clock, telemetry, signal: call.signal });
    const stores = await openStores({ config, declared, processId, place, clock, telemetry, shutdown, whenThere });
    const landing = await openDeliveries(stores);
    const address = await openFrontDoor(stores, landing, startedMs);
    stores.reports?.start(() => reportOf(stores, landing, { startedMs, url: address.url }));
    for (const job of backgroundTasks({ ...stores, disk: () => diskOf(config) })) stores.scheduler.add(job);
    telemetry.log.info('ready', { url: address.url, data: config.data.folder, lake: place.location });
    return { address, close: (reason) => shutdown.close(reason) };
  } catch (error) {
    // The reason for the failed start is what the caller must see, not what went wrong while tidying up after it.
    await shutdown.close('the start failed').catch(() => undefined);
    throw error;
  }
}

async function openStores(ground: Ground): Promise<Stores> {
  const { config, declared, clock, telemetry, shutdown, whenThere } = ground;
  const { folder } = config.data;
  const lock = await lockFolder(folder, clock);
  shutdown.openedHere('folder lock', () => lock.release());

  // Engines start before the catalog is open, and need no schema before the first landing.
  let schemas: Schemas | undefined;
  const converter = startEngines(ground, () => schemas?.all() ?? []);

  const {
    broker: bare,
    groups,
    isAway,
    checkStreams,
  } = await openBroker({ config, clock, telemetry, owned: () => lock.owned() });
  if (config.kafka === undefined) shutdown.openedHere('broker', () => bare.close());
  else shutdown.opened('broker', () => bare.close());

  const lake = lateLakeOf(ground);
  const catalog = await openCatalog({ config, lake, clock, whenThere });
  shutdown.opened('catalog', () => catalog.close());
  const reports = isShared(config) ? processReports({ store: lake.lake, clock, log: telemetry.log }) : undefined;
  if (reports !== undefined) shutdown.opened('report of this process', () => reports.close());

  const isMissing = ({ name }: DeliverySpec): boolean => !catalog.read().delivery.has(name);
  const toDeclare = isShared(config) ? declared.filter(isMissing) : declared;
  checkDeclaration(catalog.read(), toDeclare, new Set(config.streams.map(({ name }) => name)));

  checkStreams(catalog.read().stream.values());
  const followed = config.kafka && followedBroker(bare, { catalog, log: telemetry.log });
  const broker = followed ?? bare;
  const streams = createStreams({ broker, catalog, clock, log: telemetry.log });
  for (const report of await whenThere({ name: 'kafka', isAway, attempt: () => streams.open() })) {
    if (report.gaps.length === 0 && report.tornBytes === 0) continue;
    telemetry.log.warn('stream recovered', { stream: report.stream, gaps: report.gaps, tornBytes: report.tornBytes });
  }
  for (const draft of config.streams) await whenThere({ name: 'kafka', isAway, attempt: () => streams.ensure(draft) });
  const unfollow = isShared(config) ? followed?.follow() : undefined;
  if (unfollow !== undefined) shutdown.opened('streams of the catalog', async () => unfollow());

  const scheduler = intervalScheduler({ clock, telemetry });
  shutdown.opened('scheduler', () => scheduler.close());
  schemas = schemaRegistry({ catalog, clock });
  const { followTopics } = streams;
  return {
    ...ground,
    ...(groups !== undefined && { groups }),
    converter,
    lake,
    reports,
    broker,
    sharedStreams: isShared(config) ? followed : undefined,
    catalog,
    schemas,
    scheduler,
    followTopics,
    notifier: createNotifier({ clock, secret: config.server.noticeSecret }),
  };
}

/**
 * Engines take longest to start, so they start beside everything else; the deliveries wait for them. A process that neither delivers nor
 * compacts starts one when it has a transform to judge or rows to replay.
 */
function startEngines({ config, clock, telemetry, shutdown }: Ground, schemas: () => readonly SchemaText[]): Converter {
  const converter = duckdbConverter({
    ...config.convert,
    ...(config.testing.crashMarker !== undefined && { crashMarker: config.testing.crashMarker }),
    schemas,
    scratchFolder: dataFolder(config.data.folder).scratch.engines,
    telemetry,
    clock,
  });
  // For a start that fails before the deliveries; in order, the converter closes before the broker.
  shutdown.opened('engines', () => converter.close());
  // A failure shows where it is waited for.
  if (config.roles.some((role) => role !== 'ingest')) converter.open().catch(() => undefined);
  return converter;
}

interface OpenLanding {
  readonly deliveries: ReturnType<typeof createDeliveries>;
  readonly desk: LakeDesk;
  readonly compactions: Compactions;
  readonly care: LakeCare;
}

async function openDeliveries(stores: Stores): Promise<OpenLanding> {
  const { config, clock, telemetry, shutdown, converter, broker, catalog, scheduler } = stores;
  const { scratch } = dataFolder(config.data.folder);
  const { lake, reports } = stores;
  await tryLake(stores);
  const shared = await sharedScheduler(stores, 'deliver');
  shutdown.opened('converter', () => converter.close());

  const about = {
    catalog,
    converter,
    ...lake,
    clock,
    telemetry,
    scheduler,
    scratch: scratchFolders({ folder: scratch.landings, clock }),
    writer: `${process.pid}-${stores.processId}`,
    ...crashStep(config.testing.crashAt),
  };
  const deliveries = createDeliveries({
    ...about,
    broker,
    offers: offersOf(config),
    sharedScheduler: shared,
    notifier: stores.notifier,
    ...(stores.groups !== undefined && { groups: stores.groups }),
    ...(reports !== undefined && { elsewhere: sharesHeard(() => reports.list()) }),
    delivers: config.roles.includes('deliver'),
    releaseHeld: (order) => releaseHeld({ ...about, style: STYLE }, order),
  });
  shutdown.opened('deliveries', () => deliveries.close());
  if (isShared(config)) await deliveries.ensure(stores.declared);
  else await deliveries.declare(stores.declared);
  await deliveries.open();
  const { closingMs } = stopTimes(config.server.drainMs);
  shutdown.opened('deliveries, landing what waits', (left) => deliveries.drain({ withinMs: left(closingMs) }));
  const compacts = config.roles.includes('compact');
  const upkeep = {
    ...about,
    compacts,
    scheduler: compacts ? await sharedScheduler(stores, 'compact') : scheduler,
    copies: offersOf(config).kind !== 'folder',
  };
  const compactions = compactionPlace({ ...upkeep, ...crashStep(config.testing.crashAt, 'merge') });
  await compactions.open();
  shutdown.opened('compactions', () => compactions.close());
  const changed = async (name: string): Promise<void> => void (await deliveries.files(name, { limit: 1 }));
  const rebuildLost: typeof deliveries.rebuildLost = (...call) => deliveries.rebuildLost(...call);
  const care = carePlace({ ...upkeep, schemas: stores.schemas, changed, rebuildLost });
  care.open();
  shutdown.opened('care of the lake', () => care.close());
  const desk = lakeDesk({ place: stores.place, lake: lake.lake, catalog, deliveries, clock });
  return { deliveries, desk, compactions, care };
}

function lateLakeOf({ config, place, clock, telemetry }: Ground): LateLake {
  const { lakes, scratch } = dataFolder(config.data.folder);
  return lateLake(() =>
    openKnownLake({ place, memory: lakes, scratchFolder: scratch.probes, clock, log: telemetry.log }),
  );
}

/** A lake that is away is no reason to send producers away: the deliveries open it when it is back. */
async function tryLake({ lake, place, telemetry }: Stores): Promise<void> {
  try {
    await lake.lakeId();
  } catch (error) {
    if (!isLakewardError(error, 'lake-unavailable')) throw error;
    telemetry.log.warn('the lake cannot be opened, deliveries go on trying', {
      lake: place.location,
      reason: error.message,
    });
  }
}

async function reportOf(
  { config, catalog, clock, processId }: Stores,
  { deliveries }: OpenLanding,
  { startedMs, url }: { readonly startedMs: number; readonly url: string },
): Promise<ProcessReport> {
  return {
    id: processId,
    host: hostname(),
    pid: process.pid,
    url,
    roles: config.roles,
    version: packageVersion(),
    startedMs,
    catalogVersion: catalog.read().version,
    catalogAgeMs: Math.round(clock.monotonicMs() - catalog.confirmedMs()),
    memoryBytes: process.memoryUsage.rss(),
    deliveries: await deliveries.shares(),
  };
}

async function openFrontDoor(
  stores: Stores,
  { deliveries, desk, compactions, care }: OpenLanding,
  startedMs: number,
): Promise<ServerAddress> {
  const { config, place, clock, telemetry, shutdown, broker, catalog, schemas, reports } = stores;
  const { host, port, open, keys } = config.server;
  /** Records on Kafka need no room here. */
  const keepsLog = config.kafka === undefined;
  const frontDoor = createFrontDoor({
    broker,
    catalog,
    deliveries: reports === undefined ? deliveries : heardDeliveries(deliveries, () => reports.list()),
    desk,
    compactions,
    care,
    schemas,
    clock,
    telemetry,
    server: { host, port, open, keys },
    sharedStreams: stores.sharedStreams,
    takesRecords: config.roles.includes('ingest'),
    ...(reports !== undefined && { processes: () => reports.list() }),
    declaredStreams: config.streams.map(({ name }) => name),
    status: async () => {
      const disk = await diskOf(config);
      return {
        version: packageVersion(),
        startedMs,
        nodeVersion: process.versions.node,
        dataFolder: config.data.folder,
        lake: place.location,
        guarantee: place.guarantee,
        roles: config.roles,
        disk,
        memoryBytes: process.memoryUsage.rss(),
        // A delivery in trouble is no reason to send producers away: their records are safe in the stream.
        notReady: keepsLog && disk.freeBytes < disk.reserveBytes ? ['the disk reserve is reached'] : [],
      };
    },
  });
  const { requestsMs } = stopTimes(config.server.drainMs);
  shutdown.opened('front door', () => frontDoor.close(requestsMs));
  const bound = await frontDoor.listen();
  stores.notifier.serve(frontDoor);
  const name = bound.host.includes(':') ? `[${bound.host}]` : bound.host;
  return { ...bound, url: `http://${name}:${bound.port}` };
}

function diskOf(config: Config): ReturnType<typeof diskFacts> {
  return diskFacts(config.data.folder, config.data.reserveBytes);
}
