-- Flink SQL over au.frames, for a producer that uses a schema registry (kafka.registry in austream's config).
-- Needs the connector jars flink-sql-connector-kafka and flink-sql-avro-confluent-registry.

CREATE TABLE au_frames (
  `eventId` STRING,
  `cameraId` STRING,
  `epoch` BIGINT,
  `trackId` INT,
  `frame` BIGINT,
  -- Microseconds since 1970 in the schema (timestamp-micros).
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

-- Share of each ten seconds in which a face raised cheeks and lip corners together. A redelivered frame counts once.
SELECT `cameraId`, `trackId`, `window_start`,
       COUNT(DISTINCT CASE WHEN `aus`.`au06`.`active` AND `aus`.`au12`.`active` THEN `eventId` END) * 1.0
         / COUNT(DISTINCT `eventId`) AS `share`
FROM TABLE(TUMBLE(TABLE au_frames, DESCRIPTOR(`captureTime`), INTERVAL '10' SECOND))
WHERE `quality`.`unreliable` IS NULL AND NOT `warmup`
GROUP BY `cameraId`, `trackId`, `window_start`, `window_end`;
