import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { h } from './dom.ts';

/** A loss by the steps of a run. */
export interface LossChart {
  readonly element: HTMLElement;
  addTraining(step: number, loss: number): void;
  addValidation(step: number, loss: number): void;
  clear(): void;
}

const HEIGHT = 260;

type Points = [steps: number[], training: (number | null)[], validation: (number | null)[]];

function plot(element: HTMLElement): uPlot {
  const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: () => colour('--text'), grid: { stroke: () => colour('--line') } };
  const options: uPlot.Options = {
    width: Math.max(280, element.clientWidth),
    height: HEIGHT,
    scales: { x: { time: false } },
    legend: { live: false },
    axes: [
      { ...axis, label: 'step', incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] },
      { ...axis, label: 'loss' },
    ],
    series: [
      { label: 'step' },
      { label: 'training (mean of the epoch so far)', stroke: () => colour('--accent'), width: 2, spanGaps: true },
      { label: 'validation', stroke: () => colour('--hot'), width: 2, spanGaps: true, points: { show: true, size: 8 } },
    ],
  };
  return new uPlot(options, [[], [], []], element);
}

export function lossChart(): LossChart {
  const element = h('div', { class: 'chart', role: 'img', 'aria-label': 'Loss by step' });
  const points: Points = [[], [], []];
  let chart: uPlot | undefined;
  const draw = () => {
    chart ??= plot(element);
    chart.setData(points);
    const last = points[1].findLast((loss) => loss !== null);
    if (last) element.setAttribute('aria-label', `Loss by step: ${last.toFixed(3)} after ${points[0].at(-1)} steps`);
  };
  const add = (step: number, series: 1 | 2, loss: number) => {
    const [steps] = points;
    if (steps.at(-1) !== step) {
      steps.push(step);
      points[1].push(null);
      points[2].push(null);
    }
    points[series][steps.length - 1] = loss;
    draw();
  };
  new ResizeObserver(() => chart?.setSize({ width: Math.max(280, element.clientWidth), height: HEIGHT })).observe(
    element,
  );
  return {
    element,
    addTraining: (step, loss) => add(step, 1, loss),
    addValidation: (step, loss) => add(step, 2, loss),
    clear() {
      for (const one of points) one.length = 0;
      chart?.setData(points);
    },
  };
}
