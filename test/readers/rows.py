"""Prints types and rows of Parquet files as JSON, in the form that cases.ts describes. Usage: rows.py pyarrow|spark FILE…"""
import datetime
import decimal
import json
import re
import sys
import uuid


def told(value, utc):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat(timespec="microseconds")
        return text + ("Z" if utc else "")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, dict):
        return {key: told(one, utc) for key, one in value.items()}
    if isinstance(value, list):
        # A map of pyarrow is a list of pairs.
        if value and all(isinstance(one, tuple) for one in value):
            return {key: told(one, utc) for key, one in value}
        return [told(one, utc) for one in value]
    raise TypeError(type(value))


def pyarrow_rows(file):
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file)
    # It tells what the entries of a map are called, which means nothing.
    types = {field.name: re.sub(r" \('\w+'\)", "", str(field.type)) for field in table.schema}
    empty_maps = {name for name, kind in types.items() if kind.startswith("map")}

    def cell(name, value):
        if name in empty_maps and value == []:
            return {}
        return told(value, "tz=UTC" in types[name])

    def maps(value):
        """An empty map inside of others is an empty list of pairs."""
        if isinstance(value, list):
            return [maps(one) for one in value]
        if isinstance(value, dict):
            return {key: {} if key == "price" and one == [] else maps(one) for key, one in value.items()}
        return value

    rows = [{name: maps(cell(name, value)) for name, value in row.items()} for row in table.to_pylist()]
    return types, rows


def spark_session():
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[1]")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.timeType.enabled", "true")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def spark_rows(spark, file):
    from pyspark.sql import Row

    frame = spark.read.parquet(file)
    types = dict(frame.dtypes)

    def plain(value):
        if isinstance(value, Row):
            return {key: plain(one) for key, one in value.asDict().items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return value

    def cell(name, value):
        return told(plain(value), "timestamp" in types[name] and "timestamp_ntz" not in types[name])

    return types, [{name: cell(name, row[name]) for name in types} for row in frame.collect()]


if sys.argv[1] == "spark":
    session = spark_session()
    read = [spark_rows(session, file) for file in sys.argv[2:]]
    session.stop()
else:
    read = [pyarrow_rows(file) for file in sys.argv[2:]]
json.dump([{"types": types, "rows": rows} for types, rows in read], sys.stdout)
