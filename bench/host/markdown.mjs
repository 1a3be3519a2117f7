// The report of bench/host.mjs as Markdown.

const fixed = (value, digits = 1) => (value === undefined || value === null ? '-' : value.toFixed(digits));
const share = (value) => (value === undefined ? '-' : `${(100 * value).toFixed(1)} %`);
const mebibytes = (bytes) => (bytes === undefined ? '-' : (bytes / 2 ** 20).toFixed(0));

function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line), ''];
}

const notesOf = (rows) =>
  rows.flatMap(({ left_out, reason, note }) =>
    left_out ? [`- left out: ${left_out}: ${reason}`] : note ? [`- ${note}`] : [],
  );

/** Peaks of the last device that was measured: one that may use matrix units, where there is one. */
const peaksOf = (rows) => Object.assign({}, ...rows.flatMap(({ peaks }) => (peaks ? [peaks] : [])));

function peakLines(rows) {
  const { gflops_f32, gflops_f16, gflops_matrices, gb_per_s } = peaksOf(rows);
  if (gflops_f32 === undefined) return [];
  const half = gflops_f16 ? `, ${fixed(gflops_f16, 0)} in f16` : '';
  const units = gflops_matrices ? `, ${fixed(gflops_matrices, 0)} on its matrix units (f16, sums in f32)` : '';
  return [
    `Measured peaks: ${fixed(gflops_f32, 0)} GFLOP/s in f32${half}${units}; a copy moves ${fixed(gb_per_s)} GB/s.`,
    '',
  ];
}

/** PyTorch's time at a batch size in the mode nearest to a precision of ours. */
function torchTime(torch, { kind, precision, batch_size }) {
  const wanted = precision === 'f16' ? 'amp' : 'fp32';
  return torch.find((row) => row.kind === kind && row.mode === wanted && row.batch_size === batch_size)?.median_s;
}

function timeTable(rows, peaks, torch) {
  const header = [
    'what',
    'precision',
    'batch',
    'ms (range)',
    'images/s',
    'GFLOP/s',
    'of the f32 peak',
    'of the matrix peak',
    'GB/s',
    'of the copy',
    "PyTorch's time / ours",
  ];
  const cells = rows.map((row) => {
    const { kind, precision, batch_size, median_s, least_s, most_s, flops, bytes } = row;
    const [gflops, rate, torchSeconds] = [flops / median_s / 1e9, bytes / median_s / 1e9, torchTime(torch, row)];
    return [
      kind,
      precision,
      batch_size,
      `${fixed(1000 * median_s)} (${fixed(1000 * least_s)} to ${fixed(1000 * most_s)})`,
      fixed(batch_size / median_s),
      fixed(gflops, 0),
      share(gflops / peaks.gflops_f32),
      share(precision === 'f16' && peaks.gflops_matrices ? gflops / peaks.gflops_matrices : undefined),
      fixed(rate),
      share(rate / peaks.gb_per_s),
      torchSeconds ? fixed(torchSeconds / median_s, 2) : '-',
    ];
  });
  return table(header, cells);
}

function memoryTable(rows) {
  const header = [
    'what',
    'precision',
    'batch',
    'planned MiB',
    'all buffers MiB',
    'from outside MiB',
    'plan s',
    'first run s',
  ];
  const cells = rows.map(({ kind, precision, batch_size, planned_bytes, buffer_bytes, outside, plan_s, first_s }) => [
    kind,
    precision,
    batch_size,
    mebibytes(planned_bytes),
    mebibytes(buffer_bytes),
    mebibytes(outside?.bytes),
    fixed(plan_s, 2),
    fixed(first_s, 2),
  ]);
  return table(header, cells);
}

function stepLines(rows, torch) {
  const measured = rows.filter(({ median_s }) => median_s);
  const outside = rows.find((row) => row.outside)?.outside.of;
  return [
    ...timeTable(measured, peaksOf(rows), torch),
    'Each time is that of several runs, one behind the other with one wait for the last; medians of 5. Bytes count every ' +
      'operand of an op once. PyTorch: fp32 beside f32, AMP with NHWC maps beside f16.',
    '',
    ...memoryTable(measured),
    `Planned: activations, their gradients and scratch.${outside ? ` From outside: ${outside}.` : ''}`,
    '',
    ...notesOf(rows),
    '',
  ];
}

function torchLines(rows) {
  const [{ version, gpu }] = rows;
  const cells = rows
    .filter(({ median_s }) => median_s)
    .map(({ kind, mode, batch_size, median_s, peak_bytes }) => [
      kind,
      mode === 'amp' ? 'amp, channels_last' : mode,
      batch_size,
      fixed(1000 * median_s),
      fixed(batch_size / median_s),
      mebibytes(peak_bytes),
    ]);
  const header = ['what', 'mode', 'batch', 'ms', 'images/s', 'peak MiB'];
  return [`PyTorch ${version} on ${gpu}:`, '', ...table(header, cells), ...notesOf(rows), ''];
}

const checkLines = ({ cases, faults }) => [
  faults.length === 0
    ? `All ${cases} cases of all ops agree with their float64 references on every variant that fits.`
    : `**WRONG**: ${faults.length} faults in ${cases} cases of all ops:`,
  '',
  ...faults.slice(0, 20).map((fault) => `- ${fault}`),
  '',
];

function kernelLines({ kernels, total, untimed_ms, image_size, batch_size, clock }) {
  const header = ['kernel', 'launches', 'ms', 'of the time', 'GFLOP/s', 'GB/s', 'of the peak', 'limit'];
  const row = (name, one) => [
    name,
    one.launches,
    fixed(one.ms, 2),
    share(one.share_of_time),
    fixed(one.gflops),
    fixed(one.gb_per_s),
    share(one.share_of_peak ?? undefined),
    one.limit ?? '-',
  ];
  return [
    `A training step of ${image_size} px, batch ${batch_size}, launch by launch (${clock}; without timers ${fixed(untimed_ms)} ms):`,
    '',
    ...table(header, [...kernels.slice(0, 15).map((one) => row(one.kernel, one)), row('all', total)]),
  ];
}

function peerLines({ rows, left_out, image_size, batch_size }) {
  const cells = rows.map(({ peer, kind, ms_per_image, ratio, agrees }) => [
    peer,
    kind,
    fixed(ms_per_image.median, 2),
    fixed(ratio.median, 2),
    agrees ? 'yes' : '**no**',
  ]);
  const header = ['peer', 'what', 'ms per image', 'its time / ours', 'agrees'];
  return [
    `Peers, ${image_size} px, batch ${batch_size}, in turn:`,
    '',
    ...table(header, cells),
    ...left_out.map(({ name, reason }) => `- left out: ${name}: ${reason}`),
    '',
  ];
}

/** How often the variant that a plan takes is the fastest that fits. */
function variantLines({ kernels }) {
  const cases = [...new Set(kernels.map((one) => one.case))].map((id) => kernels.filter((one) => one.case === id));
  const slower = cases.flatMap((rows) => {
    const used = rows.find((one) => one.used);
    const best = rows.reduce((least, one) => (one.median_ms < least.median_ms ? one : least));
    return used && used.median_ms > 1.1 * best.median_ms ? [{ used, best }] : [];
  });
  slower.sort((a, b) => b.used.median_ms - b.best.median_ms - (a.used.median_ms - a.best.median_ms));
  const header = ['size', 'used', 'ms', 'fastest', 'ms'];
  const cells = slower
    .slice(0, 15)
    .map(({ used, best }) => [
      used.name,
      used.variant,
      fixed(used.median_ms, 3),
      best.variant,
      fixed(best.median_ms, 3),
    ]);
  return [
    `At ${slower.length} of ${cases.length} sizes of convolutions another variant is more than a tenth faster than the one used.`,
    '',
    ...(cells.length ? table(header, cells) : []),
  ];
}

const SECTIONS = {
  steps: [
    'Training step and inference',
    ({ steps, pytorch }) => [...peakLines(steps), ...stepLines(steps, pytorch ?? [])],
  ],
  check: ['Check', ({ check }) => checkLines(check)],
  pytorch: ['PyTorch on this GPU', ({ pytorch }) => torchLines(pytorch)],
  kernels: ['Where a step goes', ({ kernels }) => kernelLines(kernels)],
  peers: ['Peers', ({ peers }) => peerLines(peers)],
  variants: ['Variants', ({ variants }) => variantLines(variants)],
};

export function markdownOf({ adapter, host, date, version, image_size, minutes, seconds, parts }) {
  const results = Object.fromEntries(Object.entries(parts).map(([name, { result }]) => [name, result]));
  const lines = [
    `# DenseNet-121 on ${adapter.name}`,
    '',
    `${date}, murad ${version}, ${adapter.driver} (${adapter.kind}); ${host.cores} x ${host.cpu}, node ${host.node}, load ` +
      `${fixed(host.load_before)} before and ${fixed(host.load_after)} after; ${image_size} px; ${fixed(seconds / 60)} of ` +
      `${minutes} minutes.`,
    '',
  ];
  for (const [name, [title, body]] of Object.entries(SECTIONS)) {
    const { status, reason } = parts[name];
    if (results[name] === undefined && reason === 'not asked for') continue;
    lines.push(`## ${title}`, '');
    if (status !== 'done') lines.push(`${status === 'failed' ? '**failed**' : status}: ${reason}`, '');
    if (results[name] !== undefined) lines.push(...body(results));
  }
  return `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}
