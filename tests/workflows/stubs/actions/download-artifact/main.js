// Copies $ACT_STUB_ARTIFACTS/<name>/ to `path`; without a name, all artifacts (of `pattern`), as the real action does.
const fs = require('fs');
const os = require('os');
const path = require('path');

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] || '').trim();
const store = process.env.ACT_STUB_ARTIFACTS;
const workspace = process.env.GITHUB_WORKSPACE || process.cwd();
const target = path.resolve(workspace, input('path').replace(/^~/, os.homedir()));

function fail(message) {
  console.log(`::error::Unable to download artifact(s): ${message}`);
  process.exit(1);
}

function matching(pattern) {
  const escaped = pattern.replace(/[\\^$.|+(){}[\]]/g, '\\$&').replace(/\*/g, '[^/]*').replace(/\?/g, '[^/]');
  const expression = new RegExp(`^${escaped}$`);
  return fs.existsSync(store) ? fs.readdirSync(store).sort().filter((name) => expression.test(name)) : [];
}

if (!store) fail('ACT_STUB_ARTIFACTS is not set');
if (input('artifact-ids')) fail('the stub knows no artifact-ids');
const name = input('name');
if (name && !fs.existsSync(path.join(store, name))) fail(`Artifact '${name}' not found`);
const names = name ? [name] : matching(input('pattern') || '*');
const flat = name || input('merge-multiple') === 'true' || names.length === 1;
fs.mkdirSync(target, { recursive: true });
for (const artifact of names) {
  fs.cpSync(path.join(store, artifact), flat ? target : path.join(target, artifact), { recursive: true, force: true });
}
fs.appendFileSync(process.env.GITHUB_OUTPUT, `download-path=${target}\n`);
console.log(`downloaded ${names.join(', ')} to ${target}`);
