// The gradient dz goes on through the activation and the batch normalisation that dz's convolution loads x with:
// dy = dz where low < x * scale + shift < high, else 0; dx (+)= scale * dy, which is all of it where the statistics are
// fixed; batch_norm_correction.wgsl adds the rest.
// partials[p, 0, c] = sum of dy * (x - mean) * invStd (dgamma) and [p, 1, c] = sum of dy (dbeta), over a part of the
// pixels, which lib/epilogue_batch_norm_pixels.wgsl or lib/epilogue_batch_norm_tiles.wgsl chooses; the second pass is
// sum_partials.wgsl. Traffic: x once; dz stays in registers.
// How x lies in memory: as T, or as halves of it.
alias X = T;
@group(0) @binding(4) var<storage, read> x: array<X>;
@group(0) @binding(5) var<storage, read> affine: array<vec4f>; // rows scale, shift, mean, invStd
@group(0) @binding(6) var<storage, read_write> partials: array<vec4f>;

fn input_at(pixel: u32, channel: u32) -> vec4f {
  return T(x[parameters.xOffset + pixel * parameters.xStride + channel]);
}

fn passed(dz: vec4f, normalised: vec4f) -> vec4f {
  return select(vec4f(0), dz, (normalised > vec4f(parameters.low)) & (normalised < vec4f(parameters.high)));
}

// `centred`: the sum of dy * (x - mean).
fn store_partials(part: u32, channel: u32, centred: vec4f, plain: vec4f) {
  partials[2u * part * parameters.inChannels + channel] = centred * affine[3u * parameters.inChannels + channel];
  partials[(2u * part + 1u) * parameters.inChannels + channel] = plain;
}
