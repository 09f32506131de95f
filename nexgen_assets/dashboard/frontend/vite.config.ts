import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` shows the data of a dashboard that runs on this machine
const api = process.env.NEXGEN_DASHBOARD_URL ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "~": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { outDir: "../static", emptyOutDir: true, sourcemap: false },
  server: { host: "127.0.0.1", proxy: { "/api": { target: api }, "/dagster": { target: api, ws: true } } },
});
