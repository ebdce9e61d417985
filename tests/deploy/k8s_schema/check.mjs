// check.mjs FILE...: every manifest of the YAML files against the Kubernetes API, of 1.27, that the
// package kubernetes-models carries: by its validators (required fields, enums, formats) and, as a
// typed literal, by the TypeScript compiler (unknown fields). What is no part of the API itself
// (ServiceMonitor, PrometheusRule) is named as not checked.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { loadAll } from "js-yaml";
import ts from "typescript";

const require = createRequire(import.meta.url);
const here = path.dirname(new URL(import.meta.url).pathname);
const models = path.join(here, "node_modules/kubernetes-models");

let faults = 0;
let checked = 0;
const unknown = new Set();
const imports = new Set();
const literals = [];

function fault(file, manifest, message) {
  faults++;
  console.log(`${path.basename(file)}: ${manifest.kind} ${manifest.metadata?.name}: ${message}`);
}

function check(file, manifest) {
  const { apiVersion, kind } = manifest;
  if (!fs.existsSync(path.join(models, apiVersion, `${kind}.d.ts`))) {
    unknown.add(`${apiVersion}/${kind}`);
    return;
  }
  checked++;
  try {
    const Model = require(`kubernetes-models/${apiVersion}`)[kind];
    new Model(manifest).validate();
  } catch (problem) {
    fault(file, manifest, problem.message);
  }
  const type = `I_${apiVersion.replace(/\W/g, "_")}_${kind}`;
  imports.add(`import type { I${kind} as ${type} } from "kubernetes-models/${apiVersion}";`);
  const text = JSON.stringify(manifest, null, 1);
  literals.push({ file, manifest, text: `export const m${literals.length}: ${type} = ${text};\n` });
}

function typecheck() {
  const source = path.join(here, "manifests.ts");
  const head = [...imports].join("\n") + "\n";
  const text = head + literals.map((one) => one.text).join("");
  const options = {
    noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => name === source || fileExists.call(host, name);
  host.readFile = (name) => (name === source ? text : readFile.call(host, name));
  host.getSourceFile = (name, version, ...more) =>
    name === source ? ts.createSourceFile(name, text, version) : getSourceFile.call(host, name, version, ...more);
  const program = ts.createProgram([source], options, host);
  for (const problem of ts.getPreEmitDiagnostics(program)) {
    let at = (problem.start ?? 0) - head.length;
    const one = literals.find(({ text: own }) => (at -= own.length) < 0) ?? literals[0];
    fault(one.file, one.manifest, ts.flattenDiagnosticMessageText(problem.messageText, " "));
  }
}

for (const file of process.argv.slice(2)) {
  for (const manifest of loadAll(fs.readFileSync(file, "utf8"))) {
    if (manifest?.kind) check(file, manifest);
  }
}
if (literals.length > 0) typecheck();
console.log(`${checked} manifests checked, ${faults} faults; not checked: ${[...unknown].sort().join(", ") || "none"}`);
process.exit(faults > 0 ? 1 : 0);
