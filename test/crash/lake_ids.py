"""Counts event ids in a bucket as a stranger would: lists it, skips names with `_` or `.`, reads Parquet and NDJSON by pyarrow. Rejected
rows are read as the lines they are. Takes {endpoint, key, secret, bucket, prefix} as JSON on stdin; prints {files, rows, rejected, ids: {id: count}}."""
import base64
import collections
import json
import re
import sys

import pyarrow.fs
import pyarrow.json
import pyarrow.parquet

EVENT_ID = re.compile(r'"event_id":"([a-z]\d+-\d+)"')

given = json.load(sys.stdin)
lake = pyarrow.fs.S3FileSystem(
    access_key=given["key"],
    secret_key=given["secret"],
    endpoint_override=given["endpoint"].removeprefix("http://"),
    scheme="http",
    region="us-east-1",
)


def files_under(folder):
    selector = pyarrow.fs.FileSelector(folder, recursive=True, allow_not_found=True)
    return sorted(info.path for info in lake.get_file_info(selector) if info.is_file)


ids = collections.Counter()
files = rows = rejected = 0
root = f"{given['bucket']}/{given['prefix']}"
for path in files_under(root):
    if any(name[0] in "_." for name in path.removeprefix(f"{given['bucket']}/").split("/")):
        continue
    files += 1
    with lake.open_input_file(path) as file:
        if path.endswith(".parquet"):
            table = pyarrow.parquet.read_table(file, columns=["event_id"], partitioning=None)
        else:
            table = pyarrow.json.read_json(pyarrow.BufferReader(file.readall()))
    column = table.column("event_id").to_pylist()
    rows += len(column)
    ids.update(column)
for path in files_under(f"{given['bucket']}/_rejected/{given['prefix']}"):
    with lake.open_input_stream(path) as file:
        for line in file.readall().splitlines():
            data = base64.b64decode(json.loads(line)["data"]).decode()
            found = EVENT_ID.search(data)
            ids[found.group(1) if found else f"unreadable in {path}"] += 1
            rejected += 1
json.dump({"files": files, "rows": rows, "rejected": rejected, "ids": ids}, sys.stdout)
