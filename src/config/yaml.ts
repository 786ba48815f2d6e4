import { type Document, LineCounter, parseDocument, visit, type YAMLError } from 'yaml';

/** Said in other words than the library's, which quotes what it found. */
const OWN_WORDS: Partial<Record<YAMLError['code'], string>> = {
  TAG_RESOLVE_FAILED: 'Unknown tag; put quotes around values that begin with !',
  BAD_DIRECTIVE: 'Unknown directive; put quotes around values that begin with %',
  BAD_DQ_ESCAPE: 'Unknown escape sequence; write \\\\ for a backslash, or put single quotes around the value',
};

/**
 * What a YAML text says, and each mistake in it with its line and column. A mistake never shows anything of the text:
 * the text may be a config, and the place may be that of a password.
 */
export function parseYaml(text: string): { value: unknown; mistakes: readonly string[] } {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `at line ${line}, column ${col}`;
  };
  // prettyErrors would show the line.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, logLevel: 'error' });
  // The library only warns of tags that it does not know, and takes `!word` for a tag of nothing.
  const unknownTags = document.warnings.filter(({ code }) => code === 'TAG_RESOLVE_FAILED');
  const mistakes = [...document.errors, ...unknownTags].map((error) => `${words(error)} ${at(error.pos[0])}`);
  if (mistakes.length === 0) mistakes.push(...aliasMistakes(document, at));
  if (mistakes.length > 0) return { value: undefined, mistakes };
  try {
    return { value: document.toJS(), mistakes };
  } catch {
    return { value: undefined, mistakes: ['Its aliases (*name) stand for too much'] };
  }
}

function words({ code, message }: YAMLError): string {
  // What the library quotes otherwise, it quotes behind a colon; other colons of its own stand alone.
  return OWN_WORDS[code] ?? message.split(/(?<=\w): /)[0]!;
}

function aliasMistakes(document: Document, at: (offset: number) => string): string[] {
  const mistakes: string[] = [];
  visit(document, {
    Alias(_, alias, path) {
      const target = alias.resolve(document);
      const where = at(alias.range![0]);
      if (target === undefined)
        mistakes.push(
          `Alias (*name) without its anchor; put quotes around values that begin with * ${where}`,
        );
      else if (path.includes(target)) mistakes.push(`Alias (*name) of what it is part of ${where}`);
    },
  });
  return mistakes;
}
