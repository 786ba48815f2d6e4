import { beforeAll, describe, expect, test } from 'vitest';
import { LOSS_CAUSES } from '../../src/domain/loss-cause.ts';
import { type AlertTest, promtool, testAlert } from './promtool.ts';
import { RULE_FILES, ruleGroups } from './queries.ts';

const [STAGES, CLUSTER] = RULE_FILES as [string, string];
const LOBBY = { camera: 'lobby' };
const lost = (cause: string) => `austream_dropped_total{pod="a", camera="lobby", cause="${cause}"}`;

/** By alert: the situations in which it must fire, and similar ones in which it must not. */
const CASES: Readonly<Record<string, Readonly<Record<string, Omit<AlertTest, 'alert'>>>>> = {
  AustreamCameraDown: {
    'no video for two minutes': {
      series: { 'austream_camera_state{camera="lobby", state="STALLED"}': '0 1 1 1 1' },
      minute: 3,
      firing: [LOBBY],
    },
    'video returns before that': {
      series: { 'austream_camera_state{camera="lobby", state="STALLED"}': '0 1 1 0 1' },
      minute: 4,
      firing: [],
    },
    'stopped on purpose': {
      series: { 'austream_camera_state{camera="lobby", state="STOPPED"}': '1x10' },
      minute: 10,
      firing: [],
    },
  },
  AustreamCameraOwnedTwice: {
    'two workers know of each other': {
      series: {
        'austream_camera_contested{pod="a", camera="lobby", role="owner"}': '_ 1 1',
        'austream_camera_contested{pod="b", camera="lobby", role="superseded"}': '_ 1 1',
      },
      minute: 2,
      firing: [LOBBY],
    },
    'one of them has left': {
      series: { 'austream_camera_contested{pod="a", camera="lobby", role="owner"}': '1 1 _x10' },
      minute: 9,
      firing: [],
    },
  },
  AustreamCameraFlapping: {
    'a restart every two minutes': {
      series: { 'austream_camera_restarts{camera="lobby"}': '0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7' },
      minute: 15,
      firing: [LOBBY],
    },
    'many restarts, long ago': {
      series: { 'austream_camera_restarts{camera="lobby"}': '40x20' },
      minute: 20,
      firing: [],
    },
  },
  AustreamLagging: {
    'events are late': {
      series: {
        'austream_latency_bucket{camera="lobby", clock="rtcp", le="5"}': '0x15',
        'austream_latency_bucket{camera="lobby", clock="rtcp", le="10"}': '0+60x15',
        'austream_latency_bucket{camera="lobby", clock="rtcp", le="+Inf"}': '0+60x15',
      },
      minute: 10,
      firing: [LOBBY],
    },
    'files have no capture clock, so they are never late': {
      series: {
        'austream_latency_bucket{camera="lobby", clock="file", le="5"}': '0x15',
        'austream_latency_bucket{camera="lobby", clock="file", le="+Inf"}': '0+60x15',
      },
      minute: 10,
      firing: [],
    },
  },
  AustreamInferenceOverloaded: {
    'crops are dropped for minutes': {
      series: { [lost('inference_overload')]: '5+9x15' },
      minute: 10,
      firing: [LOBBY],
    },
    'crops were dropped once': { series: { [lost('inference_overload')]: '5x15' }, minute: 10, firing: [] },
  },
  AustreamKafkaAway: {
    'one of two workers reaches no broker': {
      series: {
        'austream_publish_connected{pod="a"}': '1x5',
        'austream_publish_connected{pod="b"}': '1 0 0 0 0 0',
      },
      minute: 3,
      firing: [{}],
    },
    'all workers reach a broker': {
      series: { 'austream_publish_connected{pod="a"}': '1x5' },
      minute: 3,
      firing: [],
    },
  },
  AustreamEventsRefused: {
    'one of two topics is refused': {
      series: {
        'austream_publish_held{topic="au.frames", cause="kafka_topic_authorization_failed"}': '0 1x5',
        'austream_publish_held{topic="au.cameras", cause="kafka_unknown_topic"}': '1 0x5',
      },
      minute: 4,
      firing: [{ topic: 'au.frames', cause: 'kafka_topic_authorization_failed' }],
    },
    'no broker answers, which is another alert': {
      series: { 'austream_publish_held{topic="au.frames", cause="kafka_unreachable"}': '1x5' },
      minute: 4,
      firing: [],
    },
  },
  AustreamEventsLate: {
    'a topic waits': {
      series: {
        'austream_publish_oldest_age{topic="au.frames"}': '0+60x6',
        'austream_publish_oldest_age{topic="au.cameras"}': '0x6',
      },
      minute: 5,
      firing: [{ topic: 'au.frames' }],
    },
    'a short outage': {
      series: { 'austream_publish_oldest_age{topic="au.frames"}': '0 40 70 0 0 0' },
      minute: 5,
      firing: [],
    },
  },
  AustreamEventsLost: {
    ...Object.fromEntries(
      [
        ...Object.entries(LOSS_CAUSES).flatMap(([cause, kind]) => (kind === 'lost' ? cause : [])),
        'crop_encoding_overload',
        'kafka_message_size_too_large',
      ].map((cause) => [
        `${cause}, in a single burst`,
        { series: { [lost(cause)]: '_x20 500x10' }, minute: 22, firing: [{ ...LOBBY, cause }] },
      ]),
    ),
    'a counter that already existed increases': {
      series: { [lost('spool_full')]: '3x20 4x10' },
      minute: 22,
      firing: [{ ...LOBBY, cause: 'spool_full' }],
    },
    'one burst in each of two pods': {
      series: {
        [lost('spool_full')]: '_x20 500x10',
        [lost('spool_full').replace('"a"', '"b"')]: '7x40',
      },
      minute: 22,
      firing: [{ ...LOBBY, cause: 'spool_full' }],
    },
    'lost before the first scrape, as with a corrupt spool found at the start': {
      series: { [lost('spool_corrupt')]: '1x10' },
      minute: 0,
      firing: [{ ...LOBBY, cause: 'spool_corrupt' }],
    },
    'after a restart, with a lower count than before': {
      series: { [lost('kafka_away')]: '500x20 stale 3x10' },
      minute: 23,
      firing: [{ ...LOBBY, cause: 'kafka_away' }],
    },
    'a burst long ago': { series: { [lost('kafka_away')]: '_x20 500x20' }, minute: 35, firing: [] },
    'frames that were not analysed': {
      series: { [lost('analysis_slow')]: '_x20 500x10' },
      minute: 22,
      firing: [],
    },
  },
  AustreamRecordSetAside: {
    'a record is set aside': {
      series: { [lost('crop_set_aside')]: '_x20 1x10' },
      minute: 22,
      firing: [{ cause: 'crop_set_aside' }],
    },
    'a state record is corrupt': {
      series: { [lost('state_unreadable')]: '_x20 1x10' },
      minute: 22,
      firing: [{ cause: 'state_unreadable' }],
    },
    'a second record is set aside': {
      series: { [lost('crop_set_aside')]: '1x80 2x10' },
      minute: 85,
      firing: [{ cause: 'crop_set_aside' }],
    },
    'records that could not be decoded': {
      series: { [lost('crop_undecodable')]: '_x20 9x10' },
      minute: 22,
      firing: [],
    },
  },
  AustreamCertificateExpires: {
    // Time begins at 0 in these tests.
    'in 13 days': {
      series: {
        'austream_certificate_expiry_timestamp_seconds{setting="kafka.tls.certificate"}': '1123200x5',
        'austream_certificate_expiry_timestamp_seconds{setting="kafka.tls.ca"}': '86400000x5',
      },
      minute: 1,
      firing: [{ setting: 'kafka.tls.certificate' }],
    },
    'in 15 days': {
      series: { 'austream_certificate_expiry_timestamp_seconds{setting="kafka.tls.ca"}': '1296000x5' },
      minute: 1,
      firing: [],
    },
  },
};

// Downloads promtool the first time.
beforeAll(promtool);

test('every alert of the stages has test cases', () => {
  const alerts = ruleGroups(STAGES).flatMap(({ rules }) => rules.map(({ alert }) => alert));
  expect(alerts).toEqual(Object.keys(CASES));
});

describe.each(Object.entries(CASES))('%s', (alert, cases) => {
  test.each(Object.entries(cases))('%s', async (_, alertTest) => {
    await testAlert(STAGES, { alert, ...alertTest });
  });
});

test('the test harness detects an expected alert that does not fire', async () => {
  const silent = { alert: 'AustreamKafkaAway', series: {}, minute: 3 };
  await testAlert(STAGES, { ...silent, firing: [] });
  await expect(testAlert(STAGES, { ...silent, firing: [{}] })).rejects.toThrow('AustreamKafkaAway');
});

test('AustreamInferenceBehind judges the lag in time, not in records', async () => {
  const lag = 'kafka_consumergroup_lag{consumergroup="austream-infer", topic="au.crops"}';
  const written = 'kafka_topic_partition_current_offset{topic="au.crops"}';
  const alert = 'AustreamInferenceBehind';
  const series = { [lag]: '1000x20', [written]: '0+600x20' };
  await testAlert(CLUSTER, { alert, series, minute: 15, firing: [{}] });
  await testAlert(CLUSTER, { alert, series: { ...series, [written]: '0+6000x20' }, minute: 15, firing: [] });
});
