// The moments of what a tile's threads write (lib/gemm*.wgsl), for batch_norm_merge_partials.wgsl: a thread sums d and d^2
// over its rows of a column, d = value - origin, its first value, which keeps the digits where |mean| is large against
// sigma; those that share a column are merged in workgroup memory, in the order of the threads.
// partials[tile of rows][count, mean, M2][channel]. Traffic: the partials once.
@group(0) @binding(9) var<storage, read_write> partials: array<T>;

var<private> rows_seen: u32; // of the column at hand, like all of these
var<private> origin: T;
var<private> total: T;
var<private> squares: T;
var<workgroup> thread_counts: array<f32, THREADS>;
var<workgroup> thread_means: array<T, THREADS>;
var<workgroup> thread_m2s: array<T, THREADS>;

fn open_column(column: u32) {
  rows_seen = 0u;
  total = T(0);
  squares = T(0);
}

fn gather(value: T) {
  if (rows_seen == 0u) {
    origin = value;
  }
  let distance = value - origin;
  total += distance;
  squares += distance * distance;
  rows_seen++;
}

fn moments_of_thread(thread: u32) -> PartialMoments {
  return PartialMoments(T(thread_counts[thread]), thread_means[thread], thread_m2s[thread]);
}

fn close_column(thread: u32, column: u32) {
  workgroupBarrier(); // all have read the moments of the column before
  let count = f32(rows_seen);
  let mean = total / max(count, 1f);
  thread_counts[thread] = count;
  thread_means[thread] = origin + mean;
  thread_m2s[thread] = max(squares - mean * total, T(0));
  workgroupBarrier();
  let channel = first_column + column;
  if (thread == sharer(thread, 0u) && channel < parameters.outChannels && first_pixel < parameters.pixels) {
    var all = moments_of_thread(thread);
    for (var i = 1u; i < SHARERS; i++) {
      all = merged(all, moments_of_thread(sharer(thread, i)));
    }
    let at = 3u * (first_pixel / TILE_M) * parameters.outChannels + channel;
    partials[at] = all.count;
    partials[at + parameters.outChannels] = all.mean;
    partials[at + 2u * parameters.outChannels] = all.m2;
  }
}
