-- ksqlDB on au.frames and au.activations. The producer must use a schema registry: ksqlDB takes the columns from it.

CREATE STREAM au_frames (face STRING KEY) WITH (
  KAFKA_TOPIC = 'au.frames', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'AVRO'
);

SELECT cameraId, trackId, captureTime, aus->au12->p FROM au_frames
WHERE aus->au12->active AND quality->unreliable IS NULL EMIT CHANGES;

CREATE STREAM au_activations (face STRING KEY) WITH (
  KAFKA_TOPIC = 'au.activations', KEY_FORMAT = 'KAFKA', VALUE_FORMAT = 'AVRO'
);

SELECT cameraId, au, COUNT(*) AS times, AVG(duration) / 1e6 AS seconds FROM au_activations
WINDOW TUMBLING (SIZE 1 MINUTE) WHERE phase = 'OFFSET' GROUP BY cameraId, au EMIT CHANGES;
