// sum + m * v, as sixteen fused multiply-adds: m * v would be added up on its own first, and a compiler for a CPU fuses
// nothing by itself.
fn multiply_add(sum: vec4f, m: mat4x4f, v: vec4f) -> vec4f {
  var total = fma(m[0], vec4f(v.x), sum);
  total = fma(m[1], vec4f(v.y), total);
  total = fma(m[2], vec4f(v.z), total);
  return fma(m[3], vec4f(v.w), total);
}
