import { queryPasswords, splitCredentials } from '../camera/credentials.ts';

/** Keys whose value is a secret itself, not the name of a file or an address: `password`, `clientSecret`, `token`, … */
const SECRET_KEY = /(password|passphrase|secret|token|apikey)$/i;

/** Every secret in a config: values of keys that name one, and passwords in URLs. It is read before it is validated. */
export function secretsOf(config: unknown, key = ''): string[] {
  if (typeof config === 'string') return isSecretKey(key) ? [config] : passwordsOfUrl(config);
  if (config === null || typeof config !== 'object') return [];
  if (Array.isArray(config)) return config.flatMap((item) => secretsOf(item, key.replace(/s$/, '')));
  return Object.entries(config).flatMap(([name, value]) => secretsOf(value, name));
}

/** Whether the value of this key is a secret. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Passwords in a URL, as they are written and decoded. */
export function passwordsOfUrl(text: string): string[] {
  if (!text.includes('://')) return [];
  const { password } = splitCredentials(text);
  return [...(password === undefined ? [] : [password]), ...queryPasswords(text)];
}
