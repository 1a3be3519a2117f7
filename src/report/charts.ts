import * as Plot from '@observablehq/plot';
import { Html, html } from './html.ts';

/** Wide enough to be read on a phone as it is; two stand side by side on a wide screen. */
const WIDTH = 350;
const FONT = '12px';
const COLOURS = 8;
const DASHES = ['', '6 3', '2 3'] as const;

/** What draws one series apart from the others. */
interface Stroke {
  readonly stroke: string;
  readonly strokeDasharray: string;
}

/** A colour of the page's style sheet, and a dash where there are more series than colours. */
const strokeOf = (index: number): Stroke => ({
  stroke: `var(--series-${index % COLOURS})`,
  strokeDasharray: DASHES[Math.floor(index / COLOURS) % DASHES.length] ?? '',
});

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Shown beside the pointer. */
  readonly title?: string;
  /** Of the mark, in pixels. */
  readonly radius?: number;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** Points that are marked. */
  readonly marked?: readonly Point[];
}

export interface Axis {
  readonly label: string;
  readonly domain?: readonly [number, number];
  readonly ticks?: number;
  readonly tickFormat?: string;
}

export interface LineChart {
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** A line from corner to corner: what chance, or a perfect calibration, gives. */
  readonly diagonal?: boolean;
  readonly square?: boolean;
}

/** Draws charts as SVG with the means of a document, a browser's or one that only builds trees. */
export class Charts {
  readonly #document: Document;

  constructor(document: Document) {
    this.#document = document;
  }

  lines({ label, x, y, series, diagonal = false, square = false }: LineChart): Html {
    const marks = [
      ...(diagonal
        ? [
            Plot.line(
              [
                [0, 0],
                [1, 1],
              ],
              { strokeOpacity: 0.5, strokeDasharray: '3 3' },
            ),
          ]
        : []),
      ...series.map(({ points }, index) => Plot.line(points, { x: 'x', y: 'y', ...strokeOf(index) })),
      ...series.map(({ marked = [] }, index) =>
        Plot.dot(marked, {
          x: 'x',
          y: 'y',
          r: ({ radius = 3.5 }: Point) => radius,
          fill: strokeOf(index).stroke,
          title: 'title',
        }),
      ),
    ];
    const height = square ? WIDTH : 240;
    const drawn = this.#plot({
      ariaLabel: label,
      height,
      grid: true,
      x: axis(x),
      y: axis(y),
      r: { type: 'identity' },
      marks,
    });
    return html`${drawn}${legend(series.map(({ name }) => name))}`;
  }

  /** Values with their intervals, a row each under its name; hollow marks are the paper's. */
  intervals({ label, axis: x, rows }: IntervalChart): Html {
    const height = 46 + 38 * rows.length;
    const known = rows.filter(({ value }) => value !== null);
    const [left] = x.domain ?? [0, 1];
    const at = { y: 'row', ...strokeOf(0) };
    const numbered = (some: readonly IntervalRow[]) => some.map((row) => ({ ...row, row: rows.indexOf(row) }));
    const marks = [
      Plot.gridX(),
      Plot.text(numbered(rows), { x: left, y: 'row', text: 'name', textAnchor: 'start', dy: -14 }),
      Plot.link(numbered(known.filter(({ low }) => low !== undefined)), {
        ...at,
        x1: 'low',
        x2: 'high',
        y1: 'row',
        y2: 'row',
        strokeWidth: 2,
      }),
      Plot.dot(numbered(known), { x: 'value', y: 'row', r: 4.5, fill: strokeOf(0).stroke, title: 'title' }),
      Plot.dot(numbered(rows.filter(({ published }) => published !== undefined)), {
        x: 'published',
        y: 'row',
        r: 4.5,
        symbol: 'diamond',
        stroke: strokeOf(1).stroke,
        strokeWidth: 1.5,
      }),
    ];
    const options = {
      ariaLabel: label,
      height,
      marginLeft: 12,
      x: axis(x),
      y: { axis: null, domain: [-0.7, rows.length - 0.5], reverse: true },
    } as const;
    return this.#plot({ ...options, marks });
  }

  #plot(options: Plot.PlotOptions): Html {
    const drawn = Plot.plot({
      document: this.#document,
      width: WIDTH,
      marginLeft: 54,
      marginBottom: 42,
      marginRight: 14,
      style: { fontSize: FONT, background: 'none' },
      ...options,
    });
    drawn.setAttribute('role', 'img');
    // The parts of an image have no roles, and so can have no names.
    for (const part of drawn.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
    return new Html(drawn.outerHTML);
  }
}

export interface IntervalRow {
  readonly name: string;
  readonly value: number | null;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly published?: number | undefined;
  readonly title: string;
}

export interface IntervalChart {
  readonly label: string;
  readonly axis: Axis;
  readonly rows: readonly IntervalRow[];
}

const axis = ({ domain, ...rest }: Axis): Plot.ScaleOptions => ({
  ...rest,
  labelAnchor: 'center',
  labelArrow: 'none',
  ...(domain ? { domain: [...domain] } : { nice: true }),
});

/** Names of the series beside their strokes; none where there is one series. */
function legend(names: readonly string[]): Html {
  if (names.length < 2) return html``;
  const entries = names.map((name, index) => {
    const { stroke, strokeDasharray } = strokeOf(index);
    const swatch = html`<svg width="22" height="8" aria-hidden="true"><line x2="22" y1="4" y2="4" stroke="${stroke}" stroke-width="2.5" stroke-dasharray="${strokeDasharray}"/></svg>`;
    return html`<li>${swatch}${name}</li>`;
  });
  return html`<ul class="legend">${entries}</ul>`;
}
