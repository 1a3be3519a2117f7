// lib/epilogue_batch_norm.wgsl for conv2d_data_gradient_pixels.wgsl: every lane keeps its own sums, without workgroup memory.
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
      let source = input_at(first + i, channel);
      let dy = passed(values[i], source * scale + shift);
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
    store_partials(run * LANES + lane, ci + block, centred[block], plain[block]);
  }
}
