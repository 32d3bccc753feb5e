/**
 * What goes wrong in a cluster run, planned by seed before it begins: which target meets which fault in which round, when, for how
 * long. A target meets one fault after the other; different targets meet theirs at once. The first rounds have one of each kind.
 */
import { seeded } from '../bench/clickstream.ts';
import { LANDING_STEPS } from '../../src/landing/steps.ts';

export const TARGETS = ['ingest-1', 'ingest-2', 'deliver-1', 'deliver-2', 'kafka', 's3', 'redis'] as const;
export type Target = (typeof TARGETS)[number];

/** `step`: the process kills itself at a named step of landing, in the life after a kill. */
export type FaultKind = 'kill' | 'step' | 'freeze' | 'flush' | 'bounce';

export interface Fault {
  readonly round: number;
  /** After the beginning of the round. */
  readonly delayMs: number;
  readonly target: Target;
  readonly kind: FaultKind;
  /** How long a process is frozen, or a process or a service away. */
  readonly forMs: number;
  /** Of `step`. */
  readonly step?: string;
}

interface Rule {
  readonly kind: FaultKind;
  readonly targets: readonly Target[];
  readonly weight: number;
  readonly forMs: readonly [min: number, max: number];
}

const INGEST = ['ingest-1', 'ingest-2'] as const;
const DELIVER = ['deliver-1', 'deliver-2'] as const;
const RULES: readonly Rule[] = [
  { kind: 'kill', targets: DELIVER, weight: 5, forMs: [0, 2000] },
  { kind: 'step', targets: DELIVER, weight: 4, forMs: [0, 1000] },
  // Longer than a group waits for a silent member: the others have its shards when it wakes.
  { kind: 'freeze', targets: DELIVER, weight: 3, forMs: [10_500, 13_000] },
  { kind: 'kill', targets: INGEST, weight: 3, forMs: [0, 2000] },
  { kind: 'freeze', targets: INGEST, weight: 2, forMs: [500, 11_000] },
  { kind: 'bounce', targets: ['s3'], weight: 3, forMs: [0, 1500] },
  { kind: 'bounce', targets: ['kafka'], weight: 2, forMs: [0, 1500] },
  { kind: 'flush', targets: ['redis'], weight: 1, forMs: [0, 0] },
  { kind: 'bounce', targets: ['redis'], weight: 1, forMs: [0, 1500] },
];
/** At most so many faults begin in a round. */
const FAULTS_MAX = 2;

export function planFaults(seed: number, { rounds, roundMs }: { rounds: number; roundMs: number }): Fault[] {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const pool = RULES.flatMap((rule) => Array.from({ length: rule.weight }, () => rule));
  const first = [...RULES];
  const plan: Fault[] = [];
  for (let round = 1; round <= rounds; round++) {
    const count = 1 + Math.floor(random() * FAULTS_MAX);
    for (let nth = 0; nth < count; nth++) {
      const rule = first.splice(Math.floor(random() * first.length), 1)[0] ?? pick(pool);
      const [min, max] = rule.forMs;
      plan.push({
        round,
        delayMs: Math.floor(random() * roundMs),
        target: pick(rule.targets),
        kind: rule.kind,
        forMs: Math.floor(min + random() * (max - min)),
        ...(rule.kind === 'step' && { step: `${pick(LANDING_STEPS)}:${1 + Math.floor(random() * 3)}` }),
      });
    }
  }
  return plan;
}
