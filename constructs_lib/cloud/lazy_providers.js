// Node loads this before anything else, see providers.py: the index of a provider's package, which requires every
// resource when it is loaded, requires each when it is first asked for.
"use strict";
const Module = require("module");

const INDEX = /[\\/]@cdktf[\\/]provider-[\w-]+[\\/]lib[\\/]index\.js$/;
const LINE = /^exports\.(\w+) = (require\("[^"]+"\));$/gm;
const GETTER = 'Object.defineProperty(exports, "$1", { enumerable: true, get: () => $2 });';

const compile = Module.prototype._compile;
Module.prototype._compile = function (code, file, ...rest) {
  return compile.call(this, INDEX.test(file) ? code.replace(LINE, GETTER) : code, file, ...rest);
};
