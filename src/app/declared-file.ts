/** The configuration file as a client sends it, read from where the command runs. */
import type { Declared } from '../config/declared.ts';
import { loadDeclared as load } from '../config/declared.ts';

export function loadDeclared(file: string): Promise<Declared> {
  return load(file, process.cwd());
}
