"""Merges the Parquet files of a folder into files of about 128 MB, as one does with Spark. Usage: compact-spark.py FOLDER TARGET"""
import os
import sys

from pyspark.sql import SparkSession

source, target = sys.argv[1:3]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.driver.memory", "2g")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .getOrCreate()
)
size = sum(os.path.getsize(os.path.join(source, name)) for name in os.listdir(source))
files = max(1, round(size / 128e6))
print("started", flush=True)
spark.read.parquet(source).coalesce(files).write.parquet(target)
print("ended", flush=True)
spark.stop()
