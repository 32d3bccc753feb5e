/**
 * The environment as commands that talk to a server heed it: where the server is, the key to show, whether colour is wanted. The server's
 * own variables are read by `load.ts`.
 */
export interface ClientEnvironment {
  /** LAKEWARD_URL. */
  readonly url?: string;
  /** LAKEWARD_KEY. */
  readonly key?: string;
  /** False with NO_COLOR (any value but the empty one) or on a terminal that can do nothing. */
  readonly colour: boolean;
}

export function clientEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): ClientEnvironment {
  const { LAKEWARD_URL: url, LAKEWARD_KEY: key, NO_COLOR: noColor, TERM: term } = env;
  return {
    ...(url === undefined || url === '' ? {} : { url }),
    ...(key === undefined || key === '' ? {} : { key }),
    colour: (noColor === undefined || noColor === '') && term !== 'dumb',
  };
}
