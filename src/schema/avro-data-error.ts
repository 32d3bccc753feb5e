/** Bytes that are not what their schema says. Stays inside the code that decodes: its callers make a verdict of it. */
export class AvroDataError extends Error {
  readonly code: 'not-avro' | 'too-large';

  constructor(message: string, code: 'not-avro' | 'too-large' = 'not-avro') {
    super(message);
    this.name = 'AvroDataError';
    this.code = code;
  }
}
