import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [svelte()],
  build: {
    // one script and one style sheet: everything is needed for the first task
    rollupOptions: { output: { codeSplitting: false }, checks: { pluginTimings: false } },
    assetsInlineLimit: 0, // a data: link would need a wider content security policy
    modulePreload: false,
    target: 'es2023',
  },
})
