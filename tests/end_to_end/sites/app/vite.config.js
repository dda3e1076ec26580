import { defineConfig } from "vite";

export default defineConfig({
  // React's own transform, without a plugin for it.
  oxc: { jsx: { runtime: "automatic" } },
  build: { assetsInlineLimit: 0 },
});
