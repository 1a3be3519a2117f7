// Medians, ranges and ratios of a run of peers.mjs, and the table of them.

const sorted = (values) => [...values].sort((a, b) => a - b);

function spread(values) {
  const inOrder = sorted(values);
  const middle = inOrder.length >> 1;
  const median = inOrder.length % 2 ? inOrder[middle] : (inOrder[middle - 1] + inOrder[middle]) / 2;
  return { median, least: inOrder[0], most: inOrder.at(-1) };
}

/** How far results may be from ours, relative to the largest: PyTorch's modes of that name have lower precision. */
const TOLERANCE = { 'pytorch tf32': 0.02, 'pytorch amp': 0.05 };
const F32_TOLERANCE = 1e-3;
/** Adam's first step is by the sign of a gradient nearly, and some signs are rounding's: the second loss differs more. */
const AFTER_A_STEP = 10;

/** The largest difference of any value, relative to the largest of `own`. */
const differenceOf = (values, own) =>
  Math.max(...own.map((value, index) => Math.abs(values[index] - value))) / Math.max(...own.map(Math.abs));

/**
 * A row for each peer and kind. A ratio is the peer's time divided by ours in the same round: above 1 murad is faster.
 */
export function summarise(runs, ours, batchSize) {
  return runs.map(({ peer, kind, seconds, first, result, next }) => {
    const own = runs.find((run) => run.peer === ours && run.kind === kind);
    const tolerance = TOLERANCE[peer.name] ?? F32_TOLERANCE;
    const differences = [differenceOf(result, own.result), differenceOf(next, own.next)];
    const agrees =
      differences[0] <= tolerance && differences[1] <= tolerance * (kind === 'training' ? AFTER_A_STEP : 1);
    return {
      peer: peer.name,
      kind,
      ms_per_image: spread(seconds.map((time) => (1000 * time) / batchSize)),
      ratio: spread(seconds.map((time, round) => time / own.seconds[round])),
      first_s: first,
      results: [result, next],
      relative_differences: differences,
      agrees,
      seconds,
    };
  });
}

const range = ({ median, least, most }, digits) =>
  `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;

const togglesOf = (toggles) =>
  typeof toggles === 'string'
    ? toggles
    : `Dawn with ${toggles.enabled.join(', ')}; without ${toggles.disabled.join(', ')}`;

/** The report as Markdown. */
export function tableOf({ rows, peers, left_out, host, ...report }) {
  const { model, image_size, batch_size, adapter, driver, rounds, steps_per_time } = report;
  const lines = [
    `${model}, ${image_size} px, batch ${batch_size}, f32, on ${adapter} (${driver}); ${host.cores} x ${host.cpu}, load ` +
      `${host.load_before.toFixed(1)} before and ${host.load_after.toFixed(1)} after; ${rounds} rounds, ` +
      `${steps_per_time} step${steps_per_time === 1 ? '' : 's'} a time.`,
    '',
    '| peer | what | ms per image | its time / ours | first run, with set-up | first and second result off by, relative |',
    '|---|---|---|---|---|---|',
    ...rows.map(({ peer, kind, ms_per_image, ratio, first_s, relative_differences, agrees }) => {
      const differences = relative_differences.map((difference) => difference.toExponential(1)).join(', ');
      const off = peer === 'murad' ? '' : `${differences}${agrees ? '' : ' WRONG'}`;
      const beside = peer === 'murad' ? '1' : range(ratio, 2);
      return `| ${peer} | ${kind} | ${range(ms_per_image, 2)} | ${beside} | ${first_s.toFixed(2)} s | ${off} |`;
    }),
    '',
    ...peers.map(({ name, version, toggles, parameters }) => {
      const count = parameters === undefined ? '' : `, ${parameters.toLocaleString('en')} parameters`;
      return `- ${name} ${version}: ${togglesOf(toggles)}${count}`;
    }),
    ...left_out.map(({ name, reason }) => `- left out: ${name}: ${reason}`),
  ];
  return lines.join('\n');
}
