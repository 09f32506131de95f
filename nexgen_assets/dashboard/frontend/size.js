// The JavaScript that a browser loads must stay small: the build fails above the limit.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LIMIT_KB = 250;
const folder = fileURLToPath(new URL("../static/assets/", import.meta.url));
const scripts = readdirSync(folder).filter((name) => name.endsWith(".js"));
const bytes = scripts.reduce((sum, name) => sum + gzipSync(readFileSync(folder + name)).length, 0);
const kilobytes = bytes / 1024;
console.log(
  `JavaScript: ${kilobytes.toFixed(1)} KB gzipped in ${scripts.length} files, limit ${LIMIT_KB} KB`,
);
if (kilobytes > LIMIT_KB) process.exit(1);
