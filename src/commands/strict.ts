import { Option } from 'commander';

export interface StrictFlag {
  strict?: boolean;
}

export function strictOption(): Option {
  return new Option(
    '--strict',
    'exit with 1 if anything was lost; frames and crops that live cameras leave out under load do not count',
  );
}
