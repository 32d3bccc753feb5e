/**
 * How each column type is read from a checked line and written to each format, as SQL. Nested types are read whole; only those with a
 * part that is stored otherwise than it is read are taken apart. Names are quoted; nothing else of a plan becomes SQL text.
 */
import type { Column, ColumnType } from '../../model/column-plan.ts';
import type { DataFormat } from '../../model/delivery.ts';

/** How a line's value is read; the row check made sure that this loses nothing. */
export function readType(type: ColumnType): string {
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN';
    case 'int':
      return type.bits === 32 ? 'INTEGER' : 'BIGINT';
    case 'double':
      return 'DOUBLE';
    case 'timestamp':
      return type.from === 'iso' ? 'TIMESTAMPTZ' : type.from === 'us' ? 'BIGINT' : 'DOUBLE';
    case 'date':
      return 'DATE';
    case 'time':
      return 'TIME';
    case 'json':
      return 'JSON';
    case 'struct':
      return `STRUCT(${type.fields.map((field) => `${name(field.name)} ${readType(field.type)}`).join(', ')})`;
    case 'list':
      return `${readType(type.items.type)}[]`;
    case 'map':
      return `MAP(VARCHAR, ${readType(type.values.type)})`;
    default:
      return 'VARCHAR';
  }
}

export function writeExpression({ name: column, type }: Column, format: DataFormat): string {
  const value = name(column);
  const nested = type.kind === 'struct' || type.kind === 'list' || type.kind === 'map';
  // A cell of CSV holds nested values as their JSON.
  if (nested && format === 'csv')
    return `CAST(to_json(${written(type, value, { format: 'ndjson', depth: 0 })}) AS VARCHAR)`;
  return written(type, value, { format, depth: 0 });
}

interface Place {
  readonly format: DataFormat;
  /** Lists and maps around the value: names what a lambda takes. */
  readonly depth: number;
}

function written(type: ColumnType, value: string, place: Place): string {
  const { format, depth } = place;
  switch (type.kind) {
    case 'timestamp':
      return writtenTime(type, value, format);
    case 'bytes':
      return format === 'parquet' ? `from_base64(${value})` : value;
    case 'decimal':
      return `CAST(${value} AS DECIMAL(${type.precision}, ${type.scale}))`;
    case 'uuid':
      return `CAST(${value} AS UUID)`;
    case 'json':
      return format === 'ndjson' ? value : `CAST(${value} AS VARCHAR)`;
    case 'struct': {
      const fields = type.fields.map((field) => {
        const part = `struct_extract(${value}, ${literal(field.name)})`;
        return { key: literal(field.name), part, text: written(field.type, part, place) };
      });
      if (fields.every(({ part, text }) => part === text)) return value;
      return unlessNull(value, `{${fields.map(({ key, text }) => `${key}: ${text}`).join(', ')}}`);
    }
    case 'list': {
      const item = name(`item ${depth}`);
      const text = written(type.items.type, item, { format, depth: depth + 1 });
      return text === item ? value : `list_transform(${value}, lambda ${item}: ${text})`;
    }
    case 'map': {
      const entry = name(`item ${depth}`);
      const part = `struct_extract(${entry}, 'value')`;
      const text = written(type.values.type, part, { format, depth: depth + 1 });
      if (text === part) return value;
      const pair = `{'key': struct_extract(${entry}, 'key'), 'value': ${text}}`;
      return unlessNull(value, `map_from_entries(list_transform(map_entries(${value}), lambda ${entry}: ${pair}))`);
    }
    default:
      return value;
  }
}

function writtenTime(type: ColumnType & { kind: 'timestamp' }, value: string, format: DataFormat): string {
  const micros =
    type.from === 'us' ? value : `CAST(round(${value} * ${type.from === 's' ? 1_000_000 : 1000}) AS BIGINT)`;
  const local = type.local === true;
  const time = type.from === 'iso' ? value : `${local ? 'make_timestamp' : 'make_timestamptz'}(${micros})`;
  return format === 'parquet'
    ? time
    : `strftime(CAST(${time} AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%f${local ? '' : 'Z'}')`;
}

/** Taking a null apart would give a value whose parts are null. */
function unlessNull(value: string, expression: string): string {
  return `CASE WHEN ${value} IS NOT NULL THEN ${expression} END`;
}

/** An SQL name in quotes. */
export function name(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** An SQL text in quotes. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
