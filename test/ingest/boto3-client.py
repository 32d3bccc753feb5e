"""Puts and reads through boto3 as users have it; prints one JSON document. Arguments: endpoint, access key id, secret."""
import json
import sys

import boto3
from botocore.config import Config

endpoint, key_id, secret = sys.argv[1:4]
client = boto3.client(
    "kinesis",
    endpoint_url=endpoint,
    region_name="eu-central-1",
    aws_access_key_id=key_id,
    aws_secret_access_key=secret,
    config=Config(retries={"max_attempts": 1}),
)
client.create_stream(StreamName="from-python", ShardCount=2)
client.get_waiter("stream_exists").wait(StreamName="from-python", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
put = client.put_records(
    StreamName="from-python",
    Records=[{"Data": bytes([i, 255]), "PartitionKey": "schlüssel-%d" % i} for i in range(20)],
)
seen = {}
for shard in client.list_shards(StreamName="from-python")["Shards"]:
    iterator = client.get_shard_iterator(
        StreamName="from-python", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    for record in client.get_records(ShardIterator=iterator)["Records"]:
        seen[record["PartitionKey"]] = list(record["Data"])
try:
    client.put_record(StreamName="nothing", Data=b"x", PartitionKey="k")
    error = None
except client.exceptions.ResourceNotFoundException as found:
    error = found.response["Error"]["Code"]
presigned = client.generate_presigned_url("list_streams", Params={})
client.delete_stream(StreamName="from-python")
print(json.dumps({"failed": put["FailedRecordCount"], "seen": seen, "error": error, "presigned": presigned}))
