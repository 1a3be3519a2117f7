// Bytes of a batch -> normalised feature map x [N, S, S, 4] (red, green, blue, 0).
// Each image is flipped left to right, then turned by its angle (counter-clockwise as seen) about its centre, with
// bilinear sampling and black outside, then normalised with a mean and standard deviation a channel.
// images[n]: byte offset (a multiple of 4), channels (1 or 3, one plane after the other), flip, cos and sin of the angle.
// One thread per pixel. Traffic: four bytes a channel (cached), 16 or 8 bytes written.
alias T = vec4f;
// How y lies in memory: as T, or as halves of it.
alias Y = T;
const LANES: u32 = 64u;

struct Parameters {
  images: u32,
  first: u32,     // which of `images` is the first
  size: u32,
  yOffset: u32,   // in vec4f, like the stride
  yStride: u32,
  meanRed: f32,   // of values from 0 to 1, like the deviations
  meanGreen: f32,
  meanBlue: f32,
  deviationRed: f32,
  deviationGreen: f32,
  deviationBlue: f32,
}

struct Image {
  offset: u32,
  channels: u32,
  flip: u32,
  cosine: f32,
  sine: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> bytes: array<u32>;
@group(0) @binding(2) var<storage, read> images: array<Image>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;

fn grey(plane: u32, ix: i32, iy: i32, flip: u32) -> f32 {
  let size = i32(parameters.size);
  if (ix < 0 || iy < 0 || ix >= size || iy >= size) {
    return 0;
  }
  let column = select(ix, size - 1 - ix, flip == 1u);
  let at = plane + u32(iy * size + column);
  return f32((bytes[at / 4u] >> (8u * (at % 4u))) & 255u);
}

fn sample(plane: u32, position: vec2f, flip: u32) -> f32 {
  let corner = floor(position);
  let share = position - corner;
  let ix = i32(corner.x);
  let iy = i32(corner.y);
  let top = mix(grey(plane, ix, iy, flip), grey(plane, ix + 1, iy, flip), share.x);
  let bottom = mix(grey(plane, ix, iy + 1, flip), grey(plane, ix + 1, iy + 1, flip), share.x);
  return mix(top, bottom, share.y);
}

@compute @workgroup_size(LANES)
fn augment(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  let pixels = parameters.size * parameters.size;
  let n = index / pixels;
  if (n >= parameters.images) {
    return;
  }
  let image = images[parameters.first + n];
  let centre = (f32(parameters.size) - 1) / 2;
  let from_centre = vec2f(f32(index % parameters.size), f32(index / parameters.size % parameters.size)) - centre;
  let position = centre + vec2f(image.cosine * from_centre.x - image.sine * from_centre.y,
                                image.sine * from_centre.x + image.cosine * from_centre.y);
  var value = vec3f(sample(image.offset, position, image.flip));
  if (image.channels == 3u) {
    value.y = sample(image.offset + pixels, position, image.flip);
    value.z = sample(image.offset + 2u * pixels, position, image.flip);
  }
  let mean = vec3f(parameters.meanRed, parameters.meanGreen, parameters.meanBlue);
  let deviation = vec3f(parameters.deviationRed, parameters.deviationGreen, parameters.deviationBlue);
  y[parameters.yOffset + index * parameters.yStride] = Y(vec4f((value / 255 - mean) / deviation, 0));
}
