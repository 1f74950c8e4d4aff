// The loops over pixels, for WebAssembly with SIMD. Compiled to dist/images/kernels.wasm; src/images/wasm-kernels.ts
// hands out memory and calls them.
export { bilinearRow, projectiveRow } from './bilinear';
export { blend } from './blend';
export { histograms } from './histograms';
export { colourMatrix, lookUp, normalise, sumChannels, turnHue } from './points';
export { resampleColumns, resampleRows } from './resample';
export { sharpen } from './sharpen';
