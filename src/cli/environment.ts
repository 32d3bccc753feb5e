/** What commands heed of the environment; the program passes it in, so that tests can pass another. */
export { clientEnvironment } from '../config/client-environment.ts';
