// bias[co] is added to the output.
@group(0) @binding(5) var<storage, read> bias: array<T>;

fn add_bias(value: T, channel: u32) -> T {
  return value + bias[parameters.biasOffset + channel];
}
