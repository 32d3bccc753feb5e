/**
 * The clock for programs outside the server: the command line and the demo. They get time through the same port as everything
 * else and never reach for it themselves.
 */
export { systemClock } from '../clock/system-clock.ts';
export type { Clock } from '../ports/clock.ts';
