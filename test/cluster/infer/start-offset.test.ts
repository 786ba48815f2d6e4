import { expect, it } from 'vitest';
import { StartOffset } from '../../../src/cluster/infer/start-offset.ts';

it.each([
  [
    'continues at the committed offset',
    50,
    { oldest: 10, end: 90 },
    { committed: 50, expired: 0, rewound: false },
  ],
  [
    'tells what retention deleted',
    50,
    { oldest: 70, end: 90 },
    { committed: 70, expired: 20, rewound: false },
  ],
  [
    'begins anew in a topic that ends before',
    50,
    { oldest: 0, end: 7 },
    { committed: 0, expired: 0, rewound: true },
  ],
  [
    'reads everything in a new group',
    null,
    { oldest: 10, end: 90 },
    { committed: null, expired: 0, rewound: false },
  ],
])('%s', (_, inGroup, range, expected) => {
  expect(new StartOffset(inGroup, range, { hasStates: false, wasRewound: false })).toMatchObject(expected);
});

it('knows that the topic was made anew if an earlier owner has left states, and no offset', () => {
  const begin = new StartOffset(null, { oldest: 0, end: 7 }, { hasStates: true, wasRewound: false });
  expect(begin).toMatchObject({ committed: null, rewound: true });
});
