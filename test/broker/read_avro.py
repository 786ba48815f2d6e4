"""Decodes messages with fastavro, to compare them with what austream published.

Usage: read_avro.py SCHEMA [REGISTRY_URL] < messages
Input: the output of kcat -f '%R%s', for each message a length (4 bytes, big-endian) and as many bytes.
Output: one JSON object per line. Single-object encoding must have SCHEMA's fingerprint. For Confluent's wire format the
writer's schema is fetched from the registry.
"""

import datetime
import io
import json
import sys
import urllib.request

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(type(value))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = json.load(file)
    schema = fastavro.parse_schema(text)
    single_object = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(text), "CRC-64-AVRO"))
    writers = {}
    stream = sys.stdin.buffer
    while length := stream.read(4):
        message = stream.read(int.from_bytes(length, "big"))
        if message[:1] == b"\0":
            schema_id = int.from_bytes(message[1:5], "big")
            if schema_id not in writers:
                with urllib.request.urlopen(f"{sys.argv[2]}/schemas/ids/{schema_id}") as response:
                    writers[schema_id] = fastavro.parse_schema(json.loads(json.load(response)["schema"]))
            writer, body = writers[schema_id], message[5:]
        else:
            if message[:10] != single_object:
                raise SystemExit(f"{message[:10].hex()} is not {single_object.hex()}")
            writer, body = schema, message[10:]
        rest = io.BytesIO(body)
        record = fastavro.schemaless_reader(rest, writer, schema)
        if rest.read():
            raise SystemExit("the message has trailing bytes")
        print(json.dumps(record, default=plain))


main()
