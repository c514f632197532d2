import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const OUT = "../forge_collector/static";

/** The theme is set by the page's script, so the first paint waits for it: no flash of the other. */
const renderBlockingScript: Plugin = {
  name: "render-blocking-script",
  transformIndexHtml: {
    order: "post",
    handler: (html) =>
      html.replace('<script type="module"', '<script type="module" blocking="render"'),
  },
};

/** The collector sends the .br or .gz beside an asset where the browser takes it. */
const compressedAssets: Plugin = {
  name: "compressed-assets",
  apply: "build",
  async closeBundle() {
    const folder = join(import.meta.dirname, OUT, "assets");
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      const content = await readFile(path);
      await writeFile(`${path}.gz`, gzipSync(content, { level: 9 }));
      const params = { [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
      await writeFile(`${path}.br`, brotliCompressSync(content, { params }));
    }
  },
};

export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  plugins: [renderBlockingScript, compressedAssets],
  worker: { format: "es" },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of our own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8750" } },
});
