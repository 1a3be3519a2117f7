// The gradient dz goes on through the activation and the batch normalisation that dz's convolution loads x with:
// dy = dz where low < x * scale + shift < high, else 0; dx (+)= scale * dy, which is all of it where the statistics are
// fixed; batch_norm_correction.wgsl adds the rest.
// partials[p, 0, c] = sum of dy * (x - mean) * invStd (dgamma) and [p, 1, c] = sum of dy (dbeta), over the pixels of a
// workgroup or of one of its lanes (lib/sum_*.wgsl); the second pass is sum_partials.wgsl.
// Traffic: x once; dz stays in registers.
// How x lies in memory: as T, or as halves of it.
alias X = T;
@group(0) @binding(4) var<storage, read> x: array<X>;
@group(0) @binding(5) var<storage, read> affine: array<vec4f>; // rows scale, shift, mean, invStd
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;

var<private> centred: array<vec4f, BLOCKS>;
var<private> plain: array<vec4f, BLOCKS>;

fn store(first: u32, ci: u32, block: u32, values: array<vec4f, PIXELS>) {
  let channel = ci + block;
  let scale = affine[channel];
  let shift = affine[parameters.inChannels + channel];
  let mean = affine[2u * parameters.inChannels + channel];
  var centred_here = vec4f(0); // the sums over all pixels are in memory
  var plain_here = vec4f(0);
  for (var i = 0u; i < PIXELS; i++) {
    if (first + i < parameters.pixels) {
      let source = T(x[parameters.xOffset + (first + i) * parameters.xStride + channel]);
      let activated = source * scale + shift;
      let passes = (activated > vec4f(parameters.low)) & (activated < vec4f(parameters.high));
      let dy = select(vec4f(0), values[i], passes);
      centred_here += dy * (source - mean);
      plain_here += dy;
      add_to_dx(first + i, channel, scale * dy);
    }
  }
  centred[block] += centred_here;
  plain[block] += plain_here;
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
