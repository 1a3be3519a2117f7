// lib/epilogue_batch_norm.wgsl for conv2d_tiled_data_gradient.wgsl: the sums of a tile's rows are gathered in workgroup
// memory, in the order of the threads that share a column.
var<private> scale: vec4f; // of the column at hand, like all of these
var<private> shift: vec4f;
var<private> mean: vec4f;
var<private> centred: vec4f;
var<private> plain: vec4f;
var<workgroup> thread_sums: array<vec4f, 2u * THREADS>;

fn open_column(column: u32) {
  let channel = min(first_column + column, parameters.inChannels - 1u);
  scale = affine[channel];
  shift = affine[parameters.inChannels + channel];
  mean = affine[2u * parameters.inChannels + channel];
  centred = vec4f(0);
  plain = vec4f(0);
}

fn gradient_of(pixel: u32, channel: u32, dz: vec4f) -> vec4f {
  let source = input_at(pixel, channel);
  let dy = passed(dz, source * scale + shift);
  centred += dy * (source - mean);
  plain += dy;
  return scale * dy;
}

fn close_column(thread: u32, column: u32) {
  workgroupBarrier(); // all have read the sums of the column before
  thread_sums[thread] = centred;
  thread_sums[THREADS + thread] = plain;
  workgroupBarrier();
  let channel = first_column + column;
  if (thread == sharer(thread, 0u) && channel < parameters.inChannels && first_pixel < parameters.pixels) {
    for (var i = 1u; i < SHARERS; i++) {
      centred += thread_sums[sharer(thread, i)];
      plain += thread_sums[THREADS + sharer(thread, i)];
    }
    store_partials(first_pixel / TILE_M, channel, centred, plain);
  }
}
