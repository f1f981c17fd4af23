// Makes the clients of the cloud's services dependencies of the image: elsewhere they are optional, and installed by
// those who choose the adapter. Their versions stay those of the lock file.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../package.json", import.meta.url);
const manifest = JSON.parse(readFileSync(file, "utf8"));
Object.assign(manifest.dependencies, manifest.peerDependencies);
for (const name of Object.keys(manifest.peerDependencies)) delete manifest.devDependencies[name];
delete manifest.peerDependencies;
delete manifest.peerDependenciesMeta;
writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
