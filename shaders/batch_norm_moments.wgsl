// moments[0, c] = mean over the rows of x[row, c]; moments[1, c] = mean of (x - mean)^2 (the biased variance).
// Pass 1 (chunk_moments): each lane sums d and d^2 of its chunk, d = x - x[first row of the chunk], which keeps the
// digits where |mean| is large against sigma, and stores the chunk's mean and M2 = sum of (x - mean)^2.
// Pass 2 (merge_moments): one lane a channel merges the chunks in their order (Chan, Golub, LeVeque 1979).
// Lanes are channels (lib/rows.wgsl). Traffic: x once.
alias T = f32;

struct Parameters {
  channels: u32,      // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  xOffset: u32,
  xStride: u32,
  momentsOffset: u32,
  momentsStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read_write> partials: array<T>; // [chunk][mean, M2][channel]
@group(0) @binding(3) var<storage, read_write> moments: array<T>;

@compute @workgroup_size(LANES, ROWS)
fn chunk_moments(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  let begin = chunk_begin(chunk);
  let end = chunk_end(chunk);
  if (channel >= parameters.channels || begin >= end) {
    return;
  }
  let origin = x[parameters.xOffset + begin * parameters.xStride + channel];
  var sum = T(0);
  var squares = T(0);
  for (var row = begin; row < end; row++) {
    let d = x[parameters.xOffset + row * parameters.xStride + channel] - origin;
    sum += d;
    squares += d * d;
  }
  let mean = sum / f32(end - begin);
  partials[2u * chunk * parameters.channels + channel] = origin + mean;
  partials[(2u * chunk + 1u) * parameters.channels + channel] = max(squares - mean * sum, T(0));
}

@compute @workgroup_size(LANES)
fn merge_moments(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  if (channel >= parameters.channels) {
    return;
  }
  var mean = T(0);
  var m2 = T(0);
  for (var begin = 0u; begin < parameters.rows; begin += parameters.chunkRows) {
    let chunk = begin / parameters.chunkRows;
    let count = f32(min(parameters.chunkRows, parameters.rows - begin));
    let delta = partials[2u * chunk * parameters.channels + channel] - mean;
    let share = count / (f32(begin) + count);
    mean += delta * share;
    m2 += partials[(2u * chunk + 1u) * parameters.channels + channel] + delta * delta * (f32(begin) * share);
  }
  moments[parameters.momentsOffset + channel] = mean;
  moments[parameters.momentsOffset + parameters.momentsStride + channel] = m2 / f32(parameters.rows);
}
