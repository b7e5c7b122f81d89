import { expect, test } from 'vitest';
import { decodeFollowing, decodeMemberState, encodeFollowing, encodeMemberState, type MemberState } from '../../src/engine/member-state.ts';

const STATE: MemberState = {
  ...{ generationId: 7, following: [1], host: 'machine-1' },
  owned: new Map([
    [0, 2],
    [3, 7],
  ]),
  offsets: new Map([
    [0, 12],
    [3, 2 ** 40],
  ]),
};

test('what a member says of itself, and what it is given, come over as they are', () => {
  expect(decodeMemberState(encodeMemberState(STATE))).toEqual(STATE);
  const following = { standbys: [1, 2], warmups: [2] };
  expect(decodeFollowing(encodeFollowing(following))).toEqual(following);
});

test('a field that a later build adds is no obstacle, another version is nobody known', () => {
  const said = JSON.parse(encodeMemberState(STATE).toString()) as object;
  expect(decodeMemberState(Buffer.from(JSON.stringify({ ...said, rack: 'r1' })))).toEqual(STATE);
  expect(decodeMemberState(Buffer.from(JSON.stringify({ ...said, version: 2 })))).toBeUndefined();
});

test.each<[string, Buffer]>([
  ['nothing', Buffer.alloc(0)],
  ['bytes of another program', Buffer.from([0, 1, 2, 255])],
  ['a text', Buffer.from('"lull"')],
  ['null', Buffer.from('null')],
  ['partitions that are none', Buffer.from('{"version":1,"generationId":1,"owned":["x"],"following":[],"offsets":[],"host":"h"}')],
  ['offsets that are none', Buffer.from('{"version":1,"generationId":1,"owned":[],"following":[],"offsets":[[1]],"host":"h"}')],
])('%s is a member that is not known, and nothing to follow', (_, userData) => {
  expect(decodeMemberState(userData)).toBeUndefined();
  expect(decodeFollowing(userData)).toEqual({ standbys: [], warmups: [] });
});
