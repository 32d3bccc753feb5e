import { bench } from './records.ts';
import { converterSuite } from '../conformance/converter.suite.ts';

converterSuite('the converter on DuckDB', () => bench());
converterSuite('the converter on DuckDB with two engines', () => bench({ engines: 2 }));
