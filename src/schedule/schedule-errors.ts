/** Why a scheduler refuses or aborts, in the same words whatever keeps its cadence. */
import { LakewardError } from '../model/errors.ts';

export function stopping(): LakewardError {
  return new LakewardError('service-stopping', 'the scheduler is closed');
}

export function removed(name: string): LakewardError {
  return new LakewardError('service-stopping', `the job '${name}' was removed`);
}

export function cancelled(name: string): LakewardError {
  return new LakewardError('run-cancelled', `the run of '${name}' was cancelled`);
}

export function taken(name: string): Error {
  return new Error(`a job '${name}' is scheduled already`);
}

export function unknownJob(name: string): Error {
  return new Error(`no job '${name}' is scheduled`);
}
