import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../src/config/yaml.ts';

const SECRET = 'hunter2';
const password = (given: string) => `cameras:\n  - id: a\n    password: ${given}\nkafka: {embedded: true}\n`;

describe('a password that YAML takes for something else', () => {
  test.each([
    [`*${SECRET}`, /^Alias \(\*name\) without its anchor; put quotes.* at line 3, column 15$/],
    [`!${SECRET}`, /^Unknown tag; put quotes.* at line 3, column 15$/],
    [`!${SECRET}!x`, /^Unknown tag.* at line 3, column 15$/],
    [`@${SECRET}`, /^Plain value cannot start with reserved character @ at line 3, column 15$/],
    [`%${SECRET}`, /^Plain value cannot start with directive .* at line 3/],
    [`"${SECRET}" x`, /^Unexpected scalar at node end at line 3, column 25$/],
    [`${SECRET}: 1`, /^Nested mappings are not allowed.* at line 3, column 15$/],
    [`|${SECRET}`, /^Block scalar header includes extra characters at line 3, column 16$/],
    [`}${SECRET}`, /^Unexpected flow-map-end token.* at line 3/],
    [`"\\U${SECRET}"`, /^Unknown escape sequence.* at line 3/],
    [`\n%YAML ${SECRET}\n---`, / at line 4/],
  ])('%s is told with its place', (given, message) => {
    const { mistakes } = parseYaml(password(given));
    expect(mistakes).toContainEqual(expect.stringMatching(message));
    expect(mistakes.join()).not.toContain(SECRET);
  });

  test('shows in no message, whatever stands around it', () => {
    const before = [
      ...['', '@', '`', '%', '"', "'", '*', '&', '!', '!!', '!a!', '!<', '|', '|-', '>', '>1', '{', '[', '?'],
      ...[
        '- ',
        '? ',
        ': ',
        '#',
        '\t',
        '{"',
        '[{',
        ',',
        '}',
        ']',
        "'a'b",
        '*a ',
        '&a *',
        '!!omap [',
        '!!set ',
      ],
      ...[
        '!!int ',
        '!!binary ',
        '--- ',
        '...\n',
        '\n%',
        '\n%TAG ! ',
        '\n@',
        '\n*',
        '\n- ',
        '\n',
        '<<: ',
        '"\\x',
      ],
    ];
    const after = [
      ...[
        '',
        '"',
        "'",
        ': 1',
        ':',
        ' :',
        '}',
        ']',
        ',',
        '\\',
        '"x',
        '" x',
        "'x",
        "''",
        ' #',
        ' *b',
        ' &b',
        '!',
      ],
      ...['\n', '\n- x', '\n x: 1', ': ]', ' {', '\t: 1', '\n---\na: 1'],
    ];
    const around = [password, (given: string) => `cameras: [{id: a, password: ${given}}]\n`];
    const shown = around.flatMap((make) =>
      before.flatMap((left) =>
        after.flatMap((right) => {
          const text = make(left + SECRET + right);
          return parseYaml(text).mistakes.some((mistake) => mistake.includes(SECRET)) ? [text] : [];
        }),
      ),
    );
    expect(shown).toEqual([]);
  });
});

describe('aliases', () => {
  test('stand for what their anchor names', () => {
    expect(parseYaml('a: &one {b: 1}\nc: *one\n')).toEqual({
      value: { a: { b: 1 }, c: { b: 1 } },
      mistakes: [],
    });
  });

  test('of what they are part of are a mistake', () => {
    expect(parseYaml('cameras: &all\n  - *all\n').mistakes).toEqual([
      'Alias (*name) of what it is part of at line 2, column 5',
    ]);
  });

  test('of aliases of aliases are not followed for ever', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array(10).fill(of).join(', ')}]\n`;
    const names = ['b', 'c', 'd', 'e', 'f'];
    const text = level('a', 'x') + names.map((name, index) => level(name, `*${'abcdef'[index]}`)).join('');
    expect(parseYaml(text)).toEqual({
      value: undefined,
      mistakes: ['Its aliases (*name) stand for too much'],
    });
  });
});
