/**
 * The named points of a landing at which a crash test may stop the process: right after what the name says became durable. The
 * delivery adds its own (`acknowledged`).
 */
export const LANDING_STEPS = [
  'staged',
  'keys-written',
  'entry-created',
  'published-one',
  'removed-one',
  'published',
  'marked',
  'checkpointed',
  'emptied',
  'swept',
  'keys-dropped',
] as const;
export type LandingStep = (typeof LANDING_STEPS)[number];
export type StepHook = (name: LandingStep) => Promise<void> | void;
