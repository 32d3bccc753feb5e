/**
 * Lakeward as a library: the server inside another Node program, its configuration, its errors, and the types of what it answers.
 */
export { type RunningServer, type ServerAddress, startServer } from './app/compose.ts';
export type { PutAnswer, ServerStatus, StreamView, TailAnswer } from './app/control-answers.ts';
export { loadServerConfig as loadConfig } from './app/declared-deliveries.ts';
export type { Config, LoadOptions } from './config/load.ts';
export type { Column, ColumnPlan, ColumnType, TimeForm } from './model/column-plan.ts';
export { type DataFile, REJECT_CODES, type RejectCode, type RejectedRow } from './model/data-file.ts';
export type { DeliverySpec, EventTime, FlushReason, FlushRule, SchemaSource } from './model/delivery.ts';
export { type ErrorCode, type ErrorKind, ERRORS, isLakewardError, LakewardError } from './model/errors.ts';
export { LIMITS } from './model/limits.ts';
export type { DeliveryStatus, Page } from './ports/deliveries.ts';
