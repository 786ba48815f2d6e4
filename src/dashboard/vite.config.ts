import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const resolvePath = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: resolvePath('page'),
  build: {
    outDir: resolvePath('../../dist/dashboard'),
    emptyOutDir: true,
    target: 'es2022',
    // The Content-Security-Policy forbids inline assets.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: [resolvePath('page/index.html'), resolvePath('page/login.html')] },
  },
});
