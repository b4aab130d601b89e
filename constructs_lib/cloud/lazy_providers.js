// Node loads this before anything else, see providers.py: the index of a provider's package, which requires every
// resource when it is loaded, requires each when it is first asked for. And no token keeps where it was made, which is
// the text of every call on the way, and which errors alone would tell.
"use strict";
const Module = require("module");

const INDEX = /[\\/]@cdktf[\\/]provider-[\w-]+[\\/]lib[\\/]index\.js$/;
const LINE = /^exports\.(\w+) = (require\("[^"]+"\));$/gm;
const GETTER = 'Object.defineProperty(exports, "$1", { enumerable: true, get: () => $2 });';

const TRACE = /[\\/]tokens[\\/]private[\\/]stack-trace\.js$/;
const NO_TRACE = "exports.captureStackTrace = () => [];";

function changed(code, file) {
  if (TRACE.test(file)) return NO_TRACE;
  return INDEX.test(file) ? code.replace(LINE, GETTER) : code;
}

const compile = Module.prototype._compile;
Module.prototype._compile = function (code, file, ...rest) {
  return compile.call(this, changed(code, file), file, ...rest);
};
