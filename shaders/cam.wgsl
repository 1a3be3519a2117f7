// Class activation map of one image and its overlay (Zhou et al. 2016): M = sum over c of weight[c] * maps[pixel, c].
// class_map: one thread per pixel of the last feature maps; traffic: the maps once.
// overlay:   one thread per pixel of the image: M upsampled bilinearly (as PyTorch's interpolate without align_corners),
//            coloured from the map's smallest to its largest value and laid over the image, more opaque where M is
//            large. result: red, green, blue, alpha bytes. Traffic: the image once, the small map from the cache.
const LANES: u32 = 64u;

struct Parameters {
  mapHeight: u32,
  mapWidth: u32,
  channels: u32,
  mapsOffset: u32,    // of the image's first pixel, in elements like all offsets and strides
  mapsStride: u32,
  weightOffset: u32,
  weightStride: u32,  // from one channel's weight to the next one's
  height: u32,        // of the image
  width: u32,
  planes: u32,        // 1: grey, 3: red, green, blue
  opacity: f32,       // of the hottest colour, 0 to 1
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> maps: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> class_map_out: array<f32>;
@group(0) @binding(4) var<storage, read> class_map_in: array<f32>;
@group(0) @binding(5) var<storage, read> bytes: array<u32>;
@group(0) @binding(6) var<storage, read_write> heat: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(LANES)
fn class_map(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= parameters.mapHeight * parameters.mapWidth) {
    return;
  }
  let source = parameters.mapsOffset + id.x * parameters.mapsStride;
  var sum = 0f;
  for (var c = 0u; c < parameters.channels; c++) {
    sum += weight[parameters.weightOffset + c * parameters.weightStride] * maps[source + c];
  }
  class_map_out[id.x] = sum;
}

// Position in the small map of pixel `i` of `size`, as indices of both neighbours and the second one's share.
fn neighbours(i: u32, size: u32, small: u32) -> vec3f {
  let position = max((f32(i) + 0.5) * f32(small) / f32(size) - 0.5, 0);
  let first = min(floor(position), f32(small - 1u));
  return vec3f(first, min(first + 1, f32(small - 1u)), position - first);
}

fn map_at(y: f32, x: f32) -> f32 {
  return class_map_in[u32(y) * parameters.mapWidth + u32(x)];
}

// Google's Turbo colour map (Mikhailov 2019) by its published polynomial of degree 5.
fn turbo(x: f32) -> vec3f {
  let v4 = vec4f(1, x, x * x, x * x * x);
  let v2 = v4.zw * v4.z;
  return clamp(vec3f(
    dot(v4, vec4f(0.13572138, 4.61539260, -42.66032258, 132.13108234)) + dot(v2, vec2f(-152.94239396, 59.28637943)),
    dot(v4, vec4f(0.09140261, 2.19418839, 4.84296658, -14.18503333)) + dot(v2, vec2f(4.27729857, 2.82956604)),
    dot(v4, vec4f(0.10667330, 12.64194608, -60.58204836, 110.36276771)) + dot(v2, vec2f(-89.90310912, 27.34824973))),
    vec3f(0), vec3f(1));
}

fn byte_at(index: u32) -> f32 {
  return f32((bytes[index / 4u] >> (8u * (index % 4u))) & 255u) / 255;
}

@compute @workgroup_size(LANES)
fn overlay(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
           @builtin(local_invocation_id) local: vec3u) {
  let index = (group.x + group.y * groups.x) * LANES + local.x;
  let pixels = parameters.height * parameters.width;
  if (index >= pixels) {
    return;
  }
  let y = neighbours(index / parameters.width, parameters.height, parameters.mapHeight);
  let x = neighbours(index % parameters.width, parameters.width, parameters.mapWidth);
  let value = mix(mix(map_at(y.x, x.x), map_at(y.x, x.y), x.z), mix(map_at(y.y, x.x), map_at(y.y, x.y), x.z), y.z);
  heat[index] = value;
  var low = class_map_in[0];
  var high = low;
  for (var i = 1u; i < parameters.mapHeight * parameters.mapWidth; i++) {
    low = min(low, class_map_in[i]);
    high = max(high, class_map_in[i]);
  }
  let strength = clamp((value - low) / max(high - low, 1e-12), 0, 1);
  var grey = vec3f(byte_at(index));
  if (parameters.planes == 3u) {
    grey = vec3f(grey.x, byte_at(pixels + index), byte_at(2u * pixels + index));
  }
  result[index] = pack4x8unorm(vec4f(mix(grey, turbo(strength), parameters.opacity * strength), 1));
}
