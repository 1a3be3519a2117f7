// 2-D adaptive average pooling, NHWC, as PyTorch cuts the windows: output row oy averages the input rows from
// floor(oy * H / OH) up to, not with, ceil((oy + 1) * H / OH); columns likewise. Windows overlap where OH does not divide H.
// forward: y[n, oy, ox, c] = mean of x over the window.
// data_gradient: dx[n, iy, ix, c] = sum over the windows that hold the pixel of dy / pixels of the window. The windows of
// row iy are those from floor(iy * OH / H) up to ceil((iy + 1) * OH / H): the same rule with the sizes exchanged.
// Lanes are channels (lib/rows.wgsl), rows are the pixels of the result. Traffic: every element of a window read once.
alias T = f32;
// How maps lie in memory: as T, or as halves of it.
alias X = T;
alias Y = T;
alias DY = T;
alias DX = T;

struct Parameters {
  channels: u32,   // in T, like all offsets and strides
  rows: u32,
  chunkRows: u32,
  height: u32,
  width: u32,
  outHeight: u32,
  outWidth: u32,
  xOffset: u32,    // of x or dx
  xStride: u32,
  yOffset: u32,    // of y or dy
  yStride: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<X>;
@group(0) @binding(2) var<storage, read_write> y: array<Y>;
@group(0) @binding(3) var<storage, read> dy: array<DY>;
@group(0) @binding(4) var<storage, read_write> dx: array<DX>;

// First place, and the one after the last, of the window of place `at` of `count` over `size` places.
fn window(at: u32, count: u32, size: u32) -> vec2u {
  return vec2u(at * size / count, ((at + 1u) * size + count - 1u) / count);
}

@compute @workgroup_size(LANES, ROWS)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let image = row / parameters.outWidth / parameters.outHeight;
    let rows = window(row / parameters.outWidth % parameters.outHeight, parameters.outHeight, parameters.height);
    let columns = window(row % parameters.outWidth, parameters.outWidth, parameters.width);
    var sum = T(0);
    for (var iy = rows.x; iy < rows.y; iy++) {
      for (var ix = columns.x; ix < columns.y; ix++) {
        let pixel = (image * parameters.height + iy) * parameters.width + ix;
        sum += T(x[parameters.xOffset + pixel * parameters.xStride + channel]);
      }
    }
    y[parameters.yOffset + row * parameters.yStride + channel] =
      Y(sum / f32((rows.y - rows.x) * (columns.y - columns.x)));
  }
}

@compute @workgroup_size(LANES, ROWS)
fn data_gradient(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
                 @builtin(local_invocation_id) local: vec3u) {
  let channel = lane_channel(group, local);
  let chunk = lane_chunk(group, groups, local);
  if (channel >= parameters.channels) {
    return;
  }
  for (var row = chunk_begin(chunk); row < chunk_end(chunk); row++) {
    let image = row / parameters.width / parameters.height;
    let rows = window(row / parameters.width % parameters.height, parameters.height, parameters.outHeight);
    let columns = window(row % parameters.width, parameters.width, parameters.outWidth);
    var sum = T(0);
    for (var oy = rows.x; oy < rows.y; oy++) {
      let across = window(oy, parameters.outHeight, parameters.height);
      for (var ox = columns.x; ox < columns.y; ox++) {
        let along = window(ox, parameters.outWidth, parameters.width);
        let pixel = (image * parameters.outHeight + oy) * parameters.outWidth + ox;
        sum += T(dy[parameters.yOffset + pixel * parameters.yStride + channel])
          / f32((across.y - across.x) * (along.y - along.x));
      }
    }
    dx[parameters.xOffset + row * parameters.xStride + channel] = DX(sum);
  }
}
