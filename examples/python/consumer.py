"""Prints the active Action Units of each face. Install the libraries with pip install -r requirements.txt, then run

    python consumer.py --brokers localhost:9092 --schema ../../schemas/AuFrame.avsc [--registry URL]

Reads both of austream's encodings: Avro single-object encoding and, if the producer uses a schema registry, Confluent's
wire format (needs --registry). --count N ends after N events.
"""

import argparse
import io
import json
import urllib.request

import fastavro
from confluent_kafka import Consumer
from fastavro.schema import fingerprint, to_parsing_canonical_form


class Decoder:
    """Decodes messages as the given version of the schema. With a registry, messages may be of any other version."""

    def __init__(self, schema_file, registry):
        with open(schema_file, encoding="utf-8") as file:
            text = json.load(file)
        self.reader = fastavro.parse_schema(text)
        self.header = b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(text), "CRC-64-AVRO"))
        self.registry = registry
        self.writers = {}

    def decode(self, message):
        if message[:1] == b"\0":
            return self.read(message[5:], self.writer(int.from_bytes(message[1:5], "big")))
        if message[:10] == self.header:
            return self.read(message[10:], self.reader)
        raise ValueError(f"unknown encoding or schema: {message[:10].hex()}")

    def read(self, body, writer):
        return fastavro.schemaless_reader(io.BytesIO(body), writer, self.reader)

    def writer(self, schema_id):
        if schema_id not in self.writers:
            with urllib.request.urlopen(f"{self.registry}/schemas/ids/{schema_id}") as response:
                self.writers[schema_id] = fastavro.parse_schema(json.loads(json.load(response)["schema"]))
        return self.writers[schema_id]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--brokers", default="localhost:9092")
    parser.add_argument("--topic", default="au.frames")
    parser.add_argument("--schema", required=True)
    parser.add_argument("--registry")
    parser.add_argument("--group", default="example-python")
    parser.add_argument("--count", type=int)
    options = parser.parse_args()

    decoder = Decoder(options.schema, options.registry)
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            "group.id": options.group,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([options.topic])
    seen = 0
    try:
        while options.count is None or seen < options.count:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise SystemExit(str(message.error()))
            frame = decoder.decode(message.value())
            active = [name for name, state in frame["aus"].items() if state and state["active"]]
            print(f"{frame['cameraId']}/{frame['trackId']} {frame['quality']['unreliable'] or ' '.join(active)}")
            # The event counts as read from here on.
            consumer.commit(message)
            seen += 1
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
