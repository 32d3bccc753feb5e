/** Every action of the Kinesis wire that is served. A new one is a file of its own and a line here. */
import type { Action } from './action.ts';
import { putRecords } from './put-records.ts';

export const ACTIONS: ReadonlyMap<string, Action> = new Map([putRecords].map((action) => [action.name, action]));
