"""Spark's structured streaming from a Kafka topic of clickstream events to hourly zstd Parquet, as much as is there, once.
Usage: spark_kafka.py BOOTSTRAP TOPIC FOLDER. Writes `started` when the session is there and has done a small piece of the same work, begins
when it reads a line, writes `landed` with the seconds, and, after another line, counts the rows it wrote."""

import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

bootstrap, topic, folder = sys.argv[1:]
SCHEMA = """event_id STRING, event_time TIMESTAMP, user_id STRING, session_id STRING, page STRING, referrer STRING, action STRING,
    product_id STRING, price DOUBLE, quantity INT, country STRING, device STRING, duration_ms BIGINT, is_member BOOLEAN"""
HOUR = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH"}


def events(kafka):
    rows = kafka.select(f.from_json(f.col("value").cast("string"), SCHEMA).alias("event")).select("event.*")
    return rows.withColumns({name: f.date_format("event_time", form) for name, form in HOUR.items()})


spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", "zstd")
    # As Lakeward's files, which cost less than at Spark's default of 3.
    .config("spark.hadoop.parquet.compression.codec.zstd.level", "1")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
kafka = {"kafka.bootstrap.servers": bootstrap, "subscribe": topic, "startingOffsets": "earliest"}
some = '{"%s":{%s}}' % (topic, ",".join(f'"{shard}":2000' for shard in range(4)))
warm = spark.read.format("kafka").options(**kafka, endingOffsets=some).load()
events(warm).write.partitionBy(*HOUR).parquet(f"{folder}/warm")
print("started", flush=True)

sys.stdin.readline()
start = time.monotonic()
query = (
    events(spark.readStream.format("kafka").options(**kafka).load())
    .writeStream.trigger(availableNow=True)
    .partitionBy(*HOUR)
    .format("parquet")
    .option("checkpointLocation", f"{folder}/checkpoint")
    .start(f"{folder}/events")
)
query.awaitTermination()
print("landed", time.monotonic() - start, flush=True)

sys.stdin.readline()
print("rows", spark.read.parquet(f"{folder}/events").where("event_id IS NOT NULL").count(), flush=True)
