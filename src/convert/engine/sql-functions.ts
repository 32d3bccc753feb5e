/**
 * The functions that expressions of operators may call. A list of what is allowed, not of what is refused: each one gives the same
 * result for the same row at any time, reads nothing but its arguments, and takes time and memory in proportion to them. Left out on
 * purpose: clocks, random numbers, files, settings, `hash` (differs between engine versions), format and edit-distance functions (a
 * width or two long texts make them explode), and functions that die on deep JSON.
 */
const OPERATORS =
  '+ - * / // % ** ^ & | ~ << >> || ->> ~~ !~~ ~~* !~~* like_escape not_like_escape ilike_escape not_ilike_escape';

const NUMBERS = `abs ceil ceiling floor round round_even trunc sign greatest least mod fmod fdiv pow power sqrt cbrt exp ln log
  log2 log10 isnan isinf isfinite gcd lcm add subtract multiply divide bit_count xor degrees radians sin cos tan asin acos atan atan2`;

const TEXTS = `lower lcase upper ucase trim ltrim rtrim substr substring left right length len char_length character_length strlen
  octet_length replace translate concat concat_ws split_part starts_with prefix ends_with suffix contains strpos instr position reverse
  ascii unicode chr strip_accents nfc_normalize lpad rpad repeat url_encode url_decode regexp_matches regexp_full_match
  regexp_extract regexp_replace regexp_escape`;

const BYTES = 'md5 sha1 sha256 base64 to_base64 from_base64 hex to_hex unhex from_hex encode decode';

const TIMES = `date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub date_add year quarter month week day
  hour minute second millisecond microsecond weekofyear weekday dayofweek dayofmonth dayofyear isodow isoyear yearweek dayname
  monthname last_day epoch epoch_ms epoch_us to_timestamp make_date make_timestamp make_timestamptz strftime strptime try_strptime
  time_bucket timezone to_years to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds to_microseconds`;

const NESTED = `json_extract json_extract_path json_extract_string json_extract_path_text json_exists json_type json_valid
  json_array_length json_value to_json json_object json_array struct_extract list_extract array_extract list_contains array_contains
  map_extract_value array_length`;

const CHOICE = 'nullif ifnull';

export const FUNCTIONS: ReadonlySet<string> = new Set(
  [OPERATORS, NUMBERS, TEXTS, BYTES, TIMES, NESTED, CHOICE].flatMap((list) => list.trim().split(/\s+/)),
);

/** Functions whose second argument says how long the text becomes: it must be a number, and they stand in an expression once. */
export const GROWING: ReadonlySet<string> = new Set(['lpad', 'rpad', 'repeat']);
export const GROWTH_MAX = 1000;

/** Types that a cast may go to. */
export const CAST_TYPES: ReadonlySet<string> = new Set(
  `BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT FLOAT DOUBLE DECIMAL VARCHAR BLOB DATE TIME
  TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS UUID INTERVAL`
    .split(/\s+/)
    .concat('TIMESTAMP WITH TIME ZONE'),
);
