// Replays the files of test vectors in WebAssembly and compares what comes of each step with what the file expects.
//
//     node tests/wasm/run.mjs MODULE.wasm FILE.json...

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";

const [module, ...files] = process.argv.slice(2);
if (!module || files.length === 0) throw new Error("usage: node run.mjs MODULE.wasm FILE.json...");

let exports;
const bytes = (at, length) => new Uint8Array(exports.memory.buffer, at >>> 0, length);
const host = { panicked: (at, length) => console.error(new TextDecoder().decode(bytes(at, length))) };
({ exports } = (await WebAssembly.instantiate(readFileSync(module), { host })).instance);

// What came of each step of each case of a file.
function run(file) {
  const at = exports.reserve(file.length);
  bytes(at, file.length).set(file);
  const packed = BigInt.asUintN(64, exports.run(at, file.length));
  exports.release(at, file.length);
  const [where, length] = [Number(packed >> 32n), Number(packed & 0xffffffffn)];
  const outcomes = JSON.parse(new TextDecoder().decode(bytes(where, length)));
  exports.release(where, length);
  return outcomes;
}

// How an outcome differs from what is expected, if it does: an error is compared whole, of a result what the file states.
function difference(expected, found) {
  const same = expected.ok
    ? found.ok && Object.entries(expected.ok).every(([key, value]) => isDeepStrictEqual(value, found.ok[key]))
    : isDeepStrictEqual(expected, found);
  return same ? undefined : `${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
}

let [cases, refused, failed] = [0, 0, 0];
for (const name of files) {
  const file = readFileSync(name);
  const vectors = JSON.parse(file);
  const outcomes = run(file);
  if (vectors.cases.length === 0) throw new Error(`${name} has no cases`);
  if (outcomes.length !== vectors.cases.length) throw new Error(`${name}: ${outcomes.length} cases were run`);
  vectors.cases.forEach((one, index) => {
    const found = outcomes[index];
    const wrong = one.steps.length === found.length
      ? one.steps.map((step, at) => difference(step.expect, found[at])).find((text) => text)
      : `${found.length} steps were run, not ${one.steps.length}`;
    cases += 1;
    if (one.steps.at(-1).expect.error) refused += 1;
    if (wrong) {
      failed += 1;
      console.error(`${basename(name, ".json")}/${one.name}: ${wrong}`);
    }
  });
}
console.log(`${cases} cases of ${files.length} files in WebAssembly, ${refused} of them refused; ${failed} differ`);
process.exitCode = failed === 0 ? 0 : 1;
