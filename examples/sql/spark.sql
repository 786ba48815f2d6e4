-- Spark SQL on au.frames, without a schema registry. In a checkout of austream, with your brokers' address:
-- spark-sql -f examples/sql/spark.sql --packages \
--   org.apache.spark:spark-avro_2.13:4.1.1,org.apache.spark:spark-sql-kafka-0-10_2.13:4.1.1

CREATE TEMPORARY VIEW au_frame_schema USING text OPTIONS (path 'schemas/AuFrame.avsc', wholetext true);
DECLARE VARIABLE au_frame STRING;
SET VARIABLE au_frame = (SELECT value FROM au_frame_schema);

-- All messages up to now.
CREATE TEMPORARY VIEW messages USING kafka OPTIONS (
  kafka.bootstrap.servers 'localhost:9092',
  kafka.isolation.level 'read_committed',
  subscribe 'au.frames',
  startingOffsets 'earliest'
);

-- Avro's single-object encoding: C3 01, the fingerprint of the schema (8 bytes), the record. The query fails at a message
-- of another schema: its bytes would give wrong values. If the producer uses a schema registry, a message is 00, the
-- schema's id (4 bytes, for example X'0000000001'), the record: then compare substring(value, 1, 5), and decode
-- substring(value, 6).
CREATE TEMPORARY VIEW au_frames AS
SELECT event.* FROM (
  SELECT from_avro(
    IF(substring(value, 1, 10) = X'C301A4A168E0C4C2B7F4', substring(value, 11),
       raise_error('a message of another schema')),
    au_frame
  ) AS event
  FROM messages
);

-- Per face and 10 s window: the share of frames in which AU6 (cheek raiser) and AU12 (lip corner puller) are both active.
-- DISTINCT counts a redelivered frame once.
SELECT cameraId, epoch, trackId, window.start,
       COUNT(DISTINCT IF(aus.au06.active AND aus.au12.active, eventId, NULL)) / COUNT(DISTINCT eventId) AS share
FROM au_frames
WHERE quality.unreliable IS NULL AND aus.au06 IS NOT NULL AND aus.au12 IS NOT NULL AND NOT warmup
GROUP BY cameraId, epoch, trackId, window(captureTime, '10 seconds');
