import { defineConfig, type Plugin } from "vite";

/** The theme is set by the page's script, so the first paint waits for it: no flash of the other. */
const renderBlockingScript: Plugin = {
  name: "render-blocking-script",
  transformIndexHtml: {
    order: "post",
    handler: (html) =>
      html.replace('<script type="module"', '<script type="module" blocking="render"'),
  },
};

export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  plugins: [renderBlockingScript],
  worker: { format: "es" },
  build: {
    outDir: "../forge_collector/static",
    emptyOutDir: true,
    target: "es2022",
    // Everything is a file of our own: the Content-Security-Policy allows nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8750" } },
});
