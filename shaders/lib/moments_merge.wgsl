// Moments of parts of a channel's values: count, mean and M2 = sum of (x - mean)^2; merged as Chan, Golub and LeVeque (1979)
// do. A part may be empty.
struct PartialMoments {
  count: T,
  mean: T,
  m2: T,
}

fn merged(a: PartialMoments, b: PartialMoments) -> PartialMoments {
  let delta = b.mean - a.mean;
  let count = a.count + b.count;
  let share = b.count / max(count, T(1));
  return PartialMoments(count, a.mean + delta * share, a.m2 + b.m2 + delta * delta * (a.count * share));
}
