-- Flink SQL on au.frames: runs in Flink 1.20 as it is, once the two addresses are yours.
-- The producer must use a schema registry (kafka.registry in austream's config).
-- Required connector jars: flink-sql-connector-kafka and flink-sql-avro-confluent-registry.

-- Only the fields that the query needs: Flink reads each event by its own schema and leaves out all others.
-- Flink cannot read Avro's enums, so clockSource and quality.unreliable must stay out.
CREATE TABLE au_frames (
  `eventId` STRING,
  `cameraId` STRING,
  `epoch` BIGINT,
  `trackId` INT,
  -- Microseconds since 1970-01-01 UTC.
  `captureTime` BIGINT,
  `warmup` BOOLEAN,
  `aus` ROW<
    `au06` ROW<`p` FLOAT, `active` BOOLEAN>,
    `au12` ROW<`p` FLOAT, `active` BOOLEAN>
  >,
  -- Flink's watermarks have at most milliseconds.
  `eventTime` AS TO_TIMESTAMP_LTZ(`captureTime` / 1000, 3),
  -- An event that comes more than 5 s after later ones is left out of its window.
  WATERMARK FOR `eventTime` AS `eventTime` - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'au.frames',
  'properties.bootstrap.servers' = 'localhost:9092',
  'properties.group.id' = 'flink',
  'properties.isolation.level' = 'read_committed',
  'scan.startup.mode' = 'earliest-offset',
  -- A partition without faces must not hold up the windows of the others.
  'scan.watermark.idle-timeout' = '10 s',
  'value.format' = 'avro-confluent',
  'value.avro-confluent.url' = 'http://localhost:8081'
);

-- Per face and 10 s window: the share of frames in which AU6 (cheek raiser) and AU12 (lip corner puller) are both active.
-- DISTINCT counts a redelivered frame once. A face that was not scored (quality.unreliable) has no AUs.
SELECT `cameraId`, `epoch`, `trackId`, `window_start`,
       COUNT(DISTINCT CASE WHEN `aus`.`au06`.`active` AND `aus`.`au12`.`active` THEN `eventId` END) * 1.0
         / COUNT(DISTINCT `eventId`) AS `share`
FROM TABLE(TUMBLE(TABLE au_frames, DESCRIPTOR(`eventTime`), INTERVAL '10' SECOND))
WHERE `aus`.`au06` IS NOT NULL AND `aus`.`au12` IS NOT NULL AND NOT `warmup`
GROUP BY `cameraId`, `epoch`, `trackId`, `window_start`, `window_end`;
