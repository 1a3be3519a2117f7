// The script of the page that roofline-page.ts makes: it runs in a browser, from within the page, and imports nothing.
import type uPlot from 'uplot';
import type { RooflineData, RooflinePoint } from './roofline-page.ts';

interface Drawn {
  readonly point: RooflinePoint;
  readonly series: number;
}

const HEIGHT = 560;
/** How near the pointer has to be to a point, in pixels. */
const REACH = 24;
const ROOF = '#555';

const colourOf = (index: number): string => `hsl(${(index * 137.5) % 360} 65% 45%)`;

/** Attainable GFLOP/s at an intensity under a roof. */
const under = (roof: number, bandwidth: number, intensity: number): number => Math.min(roof, bandwidth * intensity);

/** Powers of ten; between them uPlot gives null. */
const tickTexts = (_: uPlot, ticks: readonly (number | null)[]): string[] =>
  ticks.map((tick) => (tick === null ? '' : String(Number(tick.toPrecision(1)))));

function draw(Plot: typeof uPlot, { peaks, kinds }: RooflineData, place: HTMLElement): void {
  const points = kinds.flatMap((kind, index) => kind.points.map((point): Drawn => ({ point, series: index })));
  const roofs = [peaks.gflops_f32, peaks.gflops_f16].filter((roof) => roof !== null);
  const knees = roofs.map((roof) => roof / peaks.gb_per_s);
  const known = [...points.map(({ point }) => point.intensity), ...knees];
  const ends = [Math.min(...known) / 2, Math.max(...known) * 2];
  // One row for each point and for each corner of the roofs, in the order of x.
  const rows = [
    ...points,
    ...[...knees, ...ends].map((intensity) => ({ point: { intensity, gflops: null }, series: -1 })),
  ];
  rows.sort((a, b) => a.point.intensity - b.point.intensity);
  const columns = rows.map(({ point }) => point.intensity);
  const series = kinds.map((_, index) => rows.map((row) => (row.series === index ? row.point.gflops : null)));
  const roofLines = roofs.map((roof) => columns.map((x) => under(roof, peaks.gb_per_s, x)));
  const tip = document.createElement('div');
  tip.id = 'tip';
  const log = { distr: 3 } as const;
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: HEIGHT,
    scales: { x: { time: false, ...log }, y: log },
    axes: [
      { label: 'arithmetic intensity, FLOP per byte', values: tickTexts },
      { label: 'GFLOP/s', size: 70, values: tickTexts },
    ],
    legend: { live: false },
    cursor: { points: { show: false }, drag: { x: true, y: true } },
    series: [
      { label: 'FLOP per byte' },
      ...roofs.map((_, index) => ({
        label: index === 0 ? 'peak f32' : 'peak f16',
        stroke: ROOF,
        width: 2,
        ...(index === 0 ? {} : { dash: [6, 6] }),
        points: { show: false },
      })),
      ...kinds.map(({ kernel }, index) => ({
        label: kernel,
        stroke: colourOf(index),
        paths: () => null,
        points: { show: true, size: 8, fill: colourOf(index) },
      })),
    ],
    hooks: { setCursor: [(plot) => show(plot, tip, points, roofs.length + 1)] },
  };
  const plot = new Plot(options, [columns, ...roofLines, ...series], place);
  plot.over.append(tip);
  addEventListener('resize', () => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
}

/** Shows what the point nearest to the pointer is. */
function show(plot: uPlot, tip: HTMLElement, points: readonly Drawn[], first: number): void {
  const { left = -1, top = -1 } = plot.cursor;
  let nearest: RooflinePoint | undefined;
  let least = REACH;
  for (const { point, series } of points) {
    if (!plot.series[first + series]?.show) continue;
    const distance = Math.hypot(plot.valToPos(point.intensity, 'x') - left, plot.valToPos(point.gflops, 'y') - top);
    if (distance >= least) continue;
    least = distance;
    nearest = point;
  }
  tip.style.display = nearest && left >= 0 ? 'block' : 'none';
  if (!nearest) return;
  tip.textContent = nearest.lines.join('\n');
  const isRight = left > plot.over.clientWidth / 2;
  tip.style.left = isRight ? '' : `${left + 14}px`;
  tip.style.right = isRight ? `${plot.over.clientWidth - left + 14}px` : '';
  tip.style.top = `${top + 14}px`;
}

const { uPlot: Plot } = globalThis as unknown as { uPlot: typeof uPlot };
const [place, data] = ['plot', 'data'].map((id) => document.getElementById(id));
if (place && data) draw(Plot, JSON.parse(data.textContent ?? '') as RooflineData, place);
