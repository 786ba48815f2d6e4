import { describe, expect, test } from 'vitest';
import { parseYaml } from '../../src/config/yaml.ts';

const SECRET = 'hunter2';
const withPassword = (password: string) =>
  `cameras:\n  - id: a\n    password: ${password}\nkafka: {embedded: true}\n`;

describe('a password that is not a YAML string', () => {
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
  ])('%s is reported with its position', (password, message) => {
    const { issues } = parseYaml(withPassword(password));
    expect(issues).toContainEqual(expect.stringMatching(message));
    expect(issues.join()).not.toContain(SECRET);
  });

  test('is quoted in no message, whatever syntax surrounds it', () => {
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
    const documents = [withPassword, (password: string) => `cameras: [{id: a, password: ${password}}]\n`];
    const leaking = documents.flatMap((document) =>
      before.flatMap((left) =>
        after.flatMap((right) => {
          const text = document(left + SECRET + right);
          return parseYaml(text).issues.some((issue) => issue.includes(SECRET)) ? [text] : [];
        }),
      ),
    );
    expect(leaking).toEqual([]);
  });
});

describe('aliases', () => {
  test('are replaced by the value of their anchor', () => {
    expect(parseYaml('a: &one {b: 1}\nc: *one\n')).toEqual({
      value: { a: { b: 1 }, c: { b: 1 } },
      issues: [],
    });
  });

  test('inside their own anchor are an issue', () => {
    expect(parseYaml('cameras: &all\n  - *all\n').issues).toEqual([
      'Alias (*name) inside its own anchor at line 2, column 5',
    ]);
  });

  test('that expand exponentially are an issue', () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array(10).fill(of).join(', ')}]\n`;
    const names = ['b', 'c', 'd', 'e', 'f'];
    const text = level('a', 'x') + names.map((name, index) => level(name, `*${'abcdef'[index]}`)).join('');
    expect(parseYaml(text)).toEqual({
      value: undefined,
      issues: ['Aliases (*name) expand to too many values'],
    });
  });
});
