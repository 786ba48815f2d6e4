import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { AustreamError } from '../../src/errors.ts';
import { toAustreamError } from '../../src/kafka/kafkajs-errors.ts';

const require = createRequire(import.meta.url);
const { KafkaJSNotImplemented } = require('kafkajs/src/errors.js');
const retry = require('kafkajs/src/retry/index.js');
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js');

/** What kafkajs throws when its tries end with this. */
const thrown = (error: Error) =>
  retry({ retries: 1, initialRetryTime: 1 })(() => Promise.reject(error)).catch((wrapped: Error) => wrapped);
const told = async (error: Error) => toAustreamError(await thrown(error), ['b:1']);

describe('what kafkajs throws', () => {
  test.each([
    [5, 'LEADER_NOT_AVAILABLE'],
    [7, 'REQUEST_TIMED_OUT'],
    [15, 'GROUP_COORDINATOR_NOT_AVAILABLE'],
    [41, 'NOT_CONTROLLER'],
  ])('can be tried again where brokers are not ready: error %i, %s', async (code, type) => {
    const error = createErrorFromCode(code);
    expect(error.type).toBe(type);
    expect(await told(error)).toMatchObject({ code: 'KAFKA_UNREACHABLE', canRetry: true });
  });

  test.each([
    [29, 'TOPIC_AUTHORIZATION_FAILED'],
    [30, 'GROUP_AUTHORIZATION_FAILED'],
    [58, 'SASL_AUTHENTICATION_FAILED'],
  ])('is a refusal where brokers will not: error %i, %s', async (code, type) => {
    const error = createErrorFromCode(code);
    expect(error.type).toBe(type);
    expect(await told(error)).toMatchObject({ code: 'KAFKA_REJECTED', canRetry: false });
  });

  test('is a missing codec where it has none', async () => {
    expect(await told(new KafkaJSNotImplemented('Snappy compression not implemented'))).toMatchObject({
      code: 'PREREQUISITE_MISSING',
      fix: expect.stringContaining('gzip'),
    });
  });

  test('is an error of ours where one of our own is inside', async () => {
    const refused = new AustreamError('KAFKA_REJECTED', 'the token endpoint gives no token');
    expect(await told(refused)).toBe(refused);
  });
});
