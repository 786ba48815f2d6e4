-- Flink SQL on au.frames. The producer must use a schema registry (kafka.registry in austream's config).
-- Required connector jars: flink-sql-connector-kafka and flink-sql-avro-confluent-registry.

CREATE TABLE au_frames (
  `eventId` STRING,
  `cameraId` STRING,
  `epoch` BIGINT,
  `trackId` INT,
  `frame` BIGINT,
  -- timestamp-micros in the schema: microseconds since 1970-01-01 UTC.
  `captureTime` TIMESTAMP(6),
  `clockSource` STRING,
  `quality` ROW<`score` FLOAT, `unreliable` STRING>,
  `warmup` BOOLEAN,
  `aus` ROW<
    `au06` ROW<`raw` FLOAT, `p` FLOAT, `active` BOOLEAN, `reliability` FLOAT>,
    `au12` ROW<`raw` FLOAT, `p` FLOAT, `active` BOOLEAN, `reliability` FLOAT>
  >,
  WATERMARK FOR `captureTime` AS `captureTime` - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'au.frames',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'flink',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  'format' = 'avro-confluent',
  'avro-confluent.url' = 'http://localhost:8081'
);

-- Per face and 10 s window: the share of frames in which AU6 (cheek raiser) and AU12 (lip corner puller) are both active.
-- DISTINCT counts a redelivered frame once.
SELECT `cameraId`, `trackId`, `window_start`,
       COUNT(DISTINCT CASE WHEN `aus`.`au06`.`active` AND `aus`.`au12`.`active` THEN `eventId` END) * 1.0
         / COUNT(DISTINCT `eventId`) AS `share`
FROM TABLE(TUMBLE(TABLE au_frames, DESCRIPTOR(`captureTime`), INTERVAL '10' SECOND))
WHERE `quality`.`unreliable` IS NULL AND NOT `warmup`
GROUP BY `cameraId`, `trackId`, `window_start`, `window_end`;
