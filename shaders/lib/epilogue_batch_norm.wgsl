// The gradient dz goes on through the activation and the batch normalisation that dz's convolution loads x with:
// dy = dz where low < x * scale + shift < high, else 0; dx (+)= scale * dy, which is all of it where the statistics are
// fixed; batch_norm_correction.wgsl adds the rest.
// partials[p, 0, c] = sum of dy * (x - mean) * invStd (dgamma) and [p, 1, c] = sum of dy (dbeta), over the pixels of a
// workgroup or of one of its lanes (lib/sum_*.wgsl); the second pass is sum_partials.wgsl.
// Traffic: x once; dz stays in registers.
@group(0) @binding(4) var<storage, read> x: array<vec4f>;
@group(0) @binding(5) var<storage, read> affine: array<vec4f>; // rows scale, shift, mean, invStd
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;

var<private> centred: array<vec4f, BLOCKS>;
var<private> plain: array<vec4f, BLOCKS>;

fn store(pixel: u32, ci: u32, block: u32, value: vec4f) {
  let channel = ci + block;
  let scale = affine[channel];
  let source = x[parameters.xOffset + pixel * parameters.xStride + channel];
  let activated = source * scale + affine[parameters.inChannels + channel];
  let passes = (activated > vec4f(parameters.low)) & (activated < vec4f(parameters.high));
  let dy = select(vec4f(0), value, passes);
  centred[block] += dy * (source - affine[2u * parameters.inChannels + channel]);
  plain[block] += dy;
  add_to_dx(pixel, channel, scale * dy);
}

fn store_sums(run: u32, lane: u32, ci: u32) {
  for (var block = 0u; block < BLOCKS; block++) {
    let dgamma = sum_lanes(centred[block], lane) * affine[3u * parameters.inChannels + ci + block];
    let dbeta = sum_lanes(plain[block], lane);
    let part = select(run, run * LANES + lane, SUMS_APART);
    if (SUMS_APART || lane == 0u) {
      partials[2u * part * parameters.inChannels + ci + block] = dgamma;
      partials[(2u * part + 1u) * parameters.inChannels + ci + block] = dbeta;
    }
  }
}
