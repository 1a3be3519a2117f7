// What the adapter can do at most, for shares of it: multiply-adds in registers, and a copy.
// multiply_add: v = v * factor + term, 8 * repeats times on each of four vectors a lane, which hide each other's latency. Written
//               out, without arrays and inner loops: a simple compiler keeps arrays in memory, and a software adapter spends
//               some 60 cycles on a turn of a loop. Traffic: one vec4f a lane at the end, so that nothing is removed.
// copy:         y = x. A workgroup moves LANES * STEPS neighbouring vectors, its lanes side by side: on a GPU few steps and
//               many lanes, on a CPU the other way round. Traffic: x and y once.
// f16: T = vec4<f16>, this file appended to lib/enable_f16.wgsl.
alias T = vec4f;
const LANES: u32 = 64u;
const STEPS: u32 = 1u;

struct Parameters {
  repeats: u32,
  vectors: u32,  // vec4f of x and y that are copied
  factor: f32,   // below 1, so that no number grows out of range
  term: f32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(LANES)
fn multiply_add(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let factor = T(vec4f(parameters.factor));
  let term = T(vec4f(parameters.term));
  var p = T(vec4f(f32(local.x)));
  var q = p + term;
  var r = q + term;
  var s = r + term;
  for (var repeat = 0u; repeat < parameters.repeats; repeat++) {
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
    p = fma(p, factor, term); q = fma(q, factor, term); r = fma(r, factor, term); s = fma(s, factor, term);
  }
  y[group.x * LANES + local.x] = vec4f(p + q + r + s);
}

@compute @workgroup_size(LANES)
fn copy(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_id) local: vec3u) {
  let first = (group.x + group.y * groups.x) * LANES * STEPS + local.x;
  for (var step = 0u; step < STEPS; step++) {
    let at = first + step * LANES;
    if (at < parameters.vectors) {
      y[at] = x[at];
    }
  }
}
