/** Formats rows as aligned columns, numbers to the right. A row shorter than the header is not aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) =>
    Math.max(...all.filter((row) => row.length === header.length).map((row) => row[column]!.length)),
  );
  const numeric = header.map((_, column) => rows.some((row) => /^[\d.]+[×%]?$/.test(row[column] ?? '')));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          numeric[column] && row.length === header.length
            ? cell.padStart(widths[column]!)
            : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
