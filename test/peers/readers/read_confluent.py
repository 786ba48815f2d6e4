"""Prints all events of a topic as JSON lines with confluent-kafka's AvroDeserializer, timestamps as microseconds.

Usage: read_confluent.py BROKERS TOPIC REGISTRY_URL
"""

import datetime
import json
import sys

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    raise TypeError(type(value))


def main():
    brokers, topic, registry = sys.argv[1:]
    deserializer = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "read-confluent",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic).topics[topic].partitions
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    unread = len(partitions)
    while unread > 0:
        message = consumer.poll(10)
        if message is None:
            raise SystemExit("no answer within 10 s")
        if not message.error():
            event = deserializer(message.value(), SerializationContext(topic, MessageField.VALUE))
            print(json.dumps(event, default=plain))
        elif message.error().code() == KafkaError._PARTITION_EOF:
            unread -= 1
        else:
            raise SystemExit(str(message.error()))
    consumer.close()


main()
