// sum + m * v with fused multiply-adds, which a compiler for a CPU makes of nothing by itself. The four products are added
// up on their own first: rounding errors grow with the root of the longest chain of additions.
fn multiply_add(sum: vec4f, m: mat4x4f, v: vec4f) -> vec4f {
  var products = m[0] * v.x;
  products = fma(m[1], vec4f(v.y), products);
  products = fma(m[2], vec4f(v.z), products);
  return sum + fma(m[3], vec4f(v.w), products);
}
