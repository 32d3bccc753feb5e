/** Every command there is, in the order of the help. */
import { apply } from './apply.ts';
import type { Command } from './command.ts';
import { compactCancel } from './compact/cancel.ts';
import { compactPlan } from './compact/plan.ts';
import { compactRun } from './compact/run.ts';
import { compactStatus } from './compact/status.ts';
import { deliveryCreate } from './delivery/create.ts';
import { deliveryDelete } from './delivery/delete.ts';
import { deliveryDescribe } from './delivery/describe.ts';
import { deliveryFlush } from './delivery/flush.ts';
import { deliveryList } from './delivery/list.ts';
import { deliveryPause } from './delivery/pause.ts';
import { deliveryResume } from './delivery/resume.ts';
import { deliveryUpdate } from './delivery/update.ts';
import { demo } from './demo/demo.ts';
import { lakeCat } from './lake/cat.ts';
import { lakeCheck } from './lake/check.ts';
import { lakeErase } from './lake/erase.ts';
import { lakeExpire } from './lake/expire.ts';
import { lakeLifecycle } from './lake/lifecycle.ts';
import { lakeLs } from './lake/ls.ts';
import { lakeRepair } from './lake/repair.ts';
import { lakeReport } from './lake/report.ts';
import { lakeRestore } from './lake/restore.ts';
import { lakeShow } from './lake/show.ts';
import { lakeSweep } from './lake/sweep.ts';
import { lakeUrl } from './lake/url.ts';
import { lakeWait } from './lake/wait.ts';
import { logVerify } from './log/verify.ts';
import { put } from './put/put.ts';
import { rejectedList } from './rejected/list.ts';
import { rejectedReplay } from './rejected/replay.ts';
import { rejectedShow } from './rejected/show.ts';
import { schemaCheck } from './schema/check.ts';
import { schemaDelete } from './schema/delete.ts';
import { schemaDiff } from './schema/diff.ts';
import { schemaList } from './schema/list.ts';
import { schemaMode } from './schema/mode.ts';
import { schemaRegister } from './schema/register.ts';
import { schemaShow } from './schema/show.ts';
import { serve } from './serve.ts';
import { status } from './status.ts';
import { streamCreate } from './stream/create.ts';
import { streamDelete } from './stream/delete.ts';
import { streamDescribe } from './stream/describe.ts';
import { streamList } from './stream/list.ts';
import { streamMerge } from './stream/merge.ts';
import { streamRetention } from './stream/retention.ts';
import { streamScale } from './stream/scale.ts';
import { streamSplit } from './stream/split.ts';
import { streamTail } from './stream/tail.ts';

export const COMMANDS: readonly Command[] = [
  serve,
  demo,
  status,
  apply,
  put,
  streamCreate,
  streamList,
  streamDescribe,
  streamSplit,
  streamMerge,
  streamScale,
  streamRetention,
  streamDelete,
  streamTail,
  deliveryCreate,
  deliveryList,
  deliveryDescribe,
  deliveryUpdate,
  deliveryFlush,
  deliveryPause,
  deliveryResume,
  deliveryDelete,
  schemaRegister,
  schemaList,
  schemaShow,
  schemaDiff,
  schemaCheck,
  schemaDelete,
  schemaMode,
  lakeLs,
  lakeShow,
  lakeSweep,
  lakeWait,
  lakeCat,
  lakeUrl,
  lakeLifecycle,
  lakeReport,
  lakeRestore,
  lakeExpire,
  lakeErase,
  lakeCheck,
  lakeRepair,
  compactPlan,
  compactRun,
  compactStatus,
  compactCancel,
  rejectedList,
  rejectedShow,
  rejectedReplay,
  logVerify,
];
