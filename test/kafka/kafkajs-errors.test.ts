import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { AustreamError } from '../../src/errors.ts';
import { toAustreamError } from '../../src/kafka/kafkajs-errors.ts';

const require = createRequire(import.meta.url);
const { KafkaJSNotImplemented } = require('kafkajs/src/errors.js');
const retry = require('kafkajs/src/retry/index.js');
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js');

/** The error that kafkajs throws when its retries end with `error`. */
const afterRetries = (error: Error) =>
  retry({ retries: 1, initialRetryTime: 1 })(() => Promise.reject(error)).catch((wrapped: Error) => wrapped);
const classify = async (error: Error) => toAustreamError(await afterRetries(error), ['b:1']);

describe('an error of kafkajs', () => {
  test.each([
    [5, 'LEADER_NOT_AVAILABLE'],
    [7, 'REQUEST_TIMED_OUT'],
    [15, 'GROUP_COORDINATOR_NOT_AVAILABLE'],
    [41, 'NOT_CONTROLLER'],
  ])('is KAFKA_UNREACHABLE if the brokers are not ready: code %i, %s', async (code, type) => {
    const error = createErrorFromCode(code);
    expect(error.type).toBe(type);
    expect(await classify(error)).toMatchObject({ code: 'KAFKA_UNREACHABLE', canRetry: true });
  });

  test.each([
    [29, 'TOPIC_AUTHORIZATION_FAILED'],
    [30, 'GROUP_AUTHORIZATION_FAILED'],
    [58, 'SASL_AUTHENTICATION_FAILED'],
  ])('is KAFKA_REJECTED if the brokers reject the request: code %i, %s', async (code, type) => {
    const error = createErrorFromCode(code);
    expect(error.type).toBe(type);
    expect(await classify(error)).toMatchObject({ code: 'KAFKA_REJECTED', canRetry: false });
  });

  test('is PREREQUISITE_MISSING if a compression codec is missing', async () => {
    expect(await classify(new KafkaJSNotImplemented('Snappy compression not implemented'))).toMatchObject({
      code: 'PREREQUISITE_MISSING',
      fix: expect.stringContaining('gzip'),
    });
  });

  test('is the AustreamError inside it, if there is one', async () => {
    const rejected = new AustreamError('KAFKA_REJECTED', 'the token endpoint issued no token');
    expect(await classify(rejected)).toBe(rejected);
  });
});
