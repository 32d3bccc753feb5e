/**
 * The deliveries of the configuration file: whole specifications, and every problem of all of them under its path in the file. Needs
 * nothing that is opened: what depends on the catalog (`checkDeclaration`) is asked once it is there.
 */
import type { ConfigProblem } from '../config/config-problem.ts';
import { configInvalid } from '../config/config-problem.ts';
import type { Config, LoadOptions } from '../config/load.ts';
import { loadConfig } from '../config/load.ts';
import { declarationProblems } from '../delivery/documents.ts';
import { parseDeliverySpec } from '../delivery/spec.ts';
import type { SpecProblem } from '../delivery/spec-fields.ts';
import type { DeliverySpec } from '../model/delivery.ts';
import { isLakewardError } from '../model/errors.ts';
import type { LakeOffers } from '../model/object-settings.ts';
import { offersOf } from './lake-offers.ts';

type Written = Config['deliveries'];

/** Reads the configuration of a server. Throws `config-invalid` with the problems of all its parts, deliveries among them. */
export function loadServerConfig(options?: LoadOptions): Promise<Config> {
  return loadConfig(options, (deliveries, lake) => readDeclared(deliveries, lake && offersOf(lake)).problems);
}

/** Throws `config-invalid`. */
export function declaredSpecs(config: Config): DeliverySpec[] {
  const { file, deliveries } = config;
  const { specs, problems } = readDeclared(deliveries, offersOf(config));
  if (problems.length > 0) throw configInvalid(file ?? 'the configuration', problems);
  return specs;
}

function readDeclared(
  written: Written,
  offers: LakeOffers | undefined,
): { specs: DeliverySpec[]; problems: ConfigProblem[] } {
  const specs: DeliverySpec[] = [];
  const problems: SpecProblem[] = [];
  for (const [i, one] of written.entries()) {
    try {
      specs[i] = parseDeliverySpec(one, offers);
    } catch (error) {
      if (!isLakewardError(error)) throw error;
      const found = (error.details?.['problems'] ?? []) as readonly SpecProblem[];
      problems.push(...found.map((problem) => ({ ...problem, path: `deliveries[${i}].${problem.path}` })));
    }
  }
  problems.push(...declarationProblems(specs));
  return { specs, problems: problems.map(asConfigProblem) };
}

/** What a checker said tells more than the bare form. */
function asConfigProblem({ path, value, accepted, reason }: SpecProblem): ConfigProblem {
  const more = reason === undefined || accepted.includes(reason) ? accepted : `${accepted} (${reason})`;
  return { path, value, accepted: more };
}
