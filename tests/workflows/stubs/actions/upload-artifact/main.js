// Copies files to $ACT_STUB_ARTIFACTS/<name>/ by the rules of the real action (and of @actions/glob), but
// fails if nothing is found, unless if-no-files-found says otherwise: the real action only warns.
const fs = require('fs');
const os = require('os');
const path = require('path');

const input = (name) => (process.env[`INPUT_${name.toUpperCase()}`] || '').trim();
const workspace = process.env.GITHUB_WORKSPACE || process.cwd();
const escape = (text) => text.replace(/[\\^$.|+(){}[\]]/g, '\\$&');

function fail(message) {
  console.log(`::error::${message}`);
  process.exit(1);
}

function absolute(pattern) {
  if (pattern.replace(/^\.\//, '').split('/').some((part) => ['.', '..'].includes(part)) && pattern !== '.') {
    fail(`Invalid pattern '${pattern}'. Relative pathing '.' and '..' is not allowed.`);
  }
  return path.resolve(workspace, pattern.replace(/^~(?=\/|$)/, os.homedir()));
}

function segmentExpression(segment) {
  if (segment === '**') return '(?:/.*)?';
  const parts = segment.split(/(\*+|\?|\[[^\]]+\])/);
  const expressions = parts.map((part, index) => {
    if (index % 2 === 0) return escape(part);
    return part[0] === '*' ? '[^/]*' : part === '?' ? '[^/]' : part.replace(/^\[!/, '[^');
  });
  return `/${expressions.join('')}`;
}

// A pattern also matches all that is below a folder that it matches. It is searched for below its literal beginning.
function parse(line) {
  const segments = absolute(line.replace(/^!+/, '').trim()).split('/').slice(1);
  const glob = segments.findIndex((segment) => /[*?[]/.test(segment));
  return {
    negate: line.startsWith('!'),
    root: `/${segments.slice(0, glob < 0 ? segments.length : glob).join('/')}`,
    expression: new RegExp(`^${segments.map(segmentExpression).join('')}(?:/.*)?$`),
  };
}

function* filesBelow(item) {
  const hidden = path.basename(item).startsWith('.') && input('include-hidden-files') !== 'true';
  if (hidden || !fs.existsSync(item)) return;
  if (!fs.statSync(item).isDirectory()) yield item;
  else for (const child of fs.readdirSync(item).sort()) yield* filesBelow(path.join(item, child));
}

function commonAncestor(roots) {
  const [first, ...others] = roots.map((root) => root.split('/'));
  const end = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return (end < 0 ? first : first.slice(0, end)).join('/') || '/';
}

function find(patterns) {
  const all = [...new Set(patterns.filter((pattern) => !pattern.negate).map((pattern) => pattern.root))];
  const roots = all.filter((root) => !all.some((other) => root !== other && root.startsWith(`${other}/`.replace('//', '/'))));
  const matches = (file) => patterns.reduce((so, pattern) => (pattern.expression.test(file) ? !pattern.negate : so), false);
  const files = roots.flatMap((root) => [...filesBelow(root)]).filter(matches);
  const single = roots.length === 1 && files.length === 1 && files[0] === roots[0];
  return { files, root: single ? path.dirname(roots[0]) : commonAncestor(roots) };
}

function store(folder, { files, root }) {
  if (fs.existsSync(folder) && input('overwrite') !== 'true') {
    fail(`Conflict: an artifact with this name already exists: ${input('name')}`);
  }
  fs.rmSync(folder, { recursive: true, force: true });
  for (const file of files) {
    const target = path.join(folder, path.relative(root, file));
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(file, target);
    fs.chmodSync(target, 0o644); // an artifact keeps no permissions
  }
}

const name = input('name');
if (!process.env.ACT_STUB_ARTIFACTS) fail('ACT_STUB_ARTIFACTS is not set');
if (!name || /["<>|*?:\r\n\\/]/.test(name)) fail(`The artifact name is not valid: ${name}`);
const lines = input('path').split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
if (!lines.some((line) => !line.startsWith('!'))) fail('Input required and not supplied: path');
const found = find(lines.map(parse));
const missing = `No files were found with the provided path: ${input('path')}. No artifacts will be uploaded.`;
if (found.files.length) store(path.join(process.env.ACT_STUB_ARTIFACTS, name), found);
else if (['warn', 'ignore'].includes(input('if-no-files-found'))) console.log(missing);
else fail(missing);
console.log(found.files.map((file) => `uploaded ${path.relative(found.root, file)}`).join('\n'));
