// Element-wise ops on feature maps; lanes are channels (lib/rows.wgsl). Traffic: every operand once.
// copy:              y = a
// add:               y = a + b
// activate:          y = clamp(a, low, high)
// activate_gradient: y = b where low < a < high, else 0 (a: the input, b: the gradient of the output)
// drop:              y = a / (1 - probability) where the element's random number is at least probability, else 0;
//                    random numbers follow from (seed, step, element), so that backward draws what forward drew.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias A = T;
alias B = T;
alias Y = T;

struct Parameters {
  channels: u32,   // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  aOffset: u32,
  aStride: u32,
  bOffset: u32,
  bStride: u32,
  yOffset: u32,
  yStride: u32,
  low: f32,
  high: f32,
  probability: f32,
  seed: u32,
  first: u32,      // number of the first element, where a map is computed in parts
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> a: array<A>;
@group(0) @binding(2) var<storage, read> b: array<B>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;
@group(0) @binding(4) var<storage, read> step: array<u32>; // [0]: number of the training step

fn a_at(row: u32, channel: u32) -> T {
  return T(a[parameters.aOffset + row * parameters.aStride + channel]);
}

fn b_at(row: u32, channel: u32) -> T {
  return T(b[parameters.bOffset + row * parameters.bStride + channel]);
}

fn y_index(row: u32, channel: u32) -> u32 {
  return parameters.yOffset + row * parameters.yStride + channel;
}

// MurmurHash3's 32-bit finaliser.
fn fmix32(word: u32) -> u32 {
  var h = word;
  h ^= h >> 16u;
  h *= 0x85ebca6bu;
  h ^= h >> 13u;
  h *= 0xc2b2ae35u;
  return h ^ (h >> 16u);
}

@compute @workgroup_size(LANES, ROWS)
fn copy(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    y[y_index(row, channel)] = Y(a_at(row, channel));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn add(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
       @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    y[y_index(row, channel)] = Y(a_at(row, channel) + b_at(row, channel));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn activate(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    y[y_index(row, channel)] = Y(clamp(a_at(row, channel), T(parameters.low), T(parameters.high)));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn activate_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                     @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let value = a_at(row, channel);
    let passes = (value > T(parameters.low)) & (value < T(parameters.high));
    y[y_index(row, channel)] = Y(select(T(0), b_at(row, channel), passes));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn drop(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  let key = fmix32(parameters.seed ^ fmix32(step[0] + 0x9e3779b9u));
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let element = parameters.first + row * parameters.channels + channel;
    let uniform_number = f32(fmix32(key + fmix32(element)) >> 8u) / 16777216f; // [0, 1)
    let kept = select(0f, 1 / (1 - parameters.probability), uniform_number >= parameters.probability);
    y[y_index(row, channel)] = Y(a_at(row, channel) * kept);
  }
}
