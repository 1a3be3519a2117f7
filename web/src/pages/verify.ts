import { proxy } from 'comlink';
import type { App, Page } from '../app.ts';
import type { OpCheck, Progress } from '../engine-api.ts';
import { h, labelled, select } from '../ui/dom.ts';
import { makeJob } from '../ui/job.ts';
import { table } from '../ui/table.ts';

const FAULTS_SHOWN = 5;

const row = ({ op, cases, variants, faults }: OpCheck) =>
  h(
    'tr',
    { class: faults.length === 0 ? 'right' : 'wrong' },
    h('th', { scope: 'row' }, op),
    h('td', {}, String(cases)),
    h('td', {}, variants.join(', ') || '-'),
    h(
      'td',
      {},
      faults.length === 0 ? 'agrees' : `${faults.length} faults`,
      ...faults.slice(0, FAULTS_SHOWN).map((fault) => h('div', { class: 'fault' }, fault)),
    ),
  );

function summary(checks: readonly OpCheck[]): string {
  const cases = checks.reduce((sum, one) => sum + one.cases, 0);
  const faults = checks.reduce((sum, one) => sum + one.faults.length, 0);
  if (faults === 0) return `All ${cases} cases agree with their float64 references.`;
  return `WRONG on this adapter, please report it: ${faults} faults in ${cases} cases.`;
}

function make(app: App): HTMLElement {
  const { engine } = app;
  const ops = select([['', 'every op']], '', { id: 'verify-op' });
  const { start, stop, bar, run } = makeJob(app, 'verify', 'Verify');
  const result = h('p', { id: 'verify-result', role: 'status' });
  const body = h('tbody', { id: 'verify-ops' });
  void engine.listOps().then((names) => ops.append(...names.map((name) => h('option', { value: name }, name))));
  const verify = async () => {
    result.textContent = '';
    body.replaceChildren();
    const checks: OpCheck[] = [];
    const onOp = (check: OpCheck) => {
      checks.push(check);
      body.append(row(check));
    };
    const chosen = ops.value === '' ? [] : [ops.value];
    await engine.verify(
      chosen,
      proxy((progress: Progress) => bar.show(progress)),
      proxy(onOp),
    );
    result.textContent = summary(checks);
  };
  start.addEventListener('click', () => void run(verify));
  const what =
    'Runs every case of every op on every kernel that fits this GPU and compares it with a float64 reference.';
  return h(
    'section',
    { class: 'card wide', 'aria-labelledby': 'verify-title' },
    h('h2', { id: 'verify-title' }, 'Verify'),
    h('p', {}, what),
    labelled('Ops', ops),
    h('p', { class: 'buttons' }, start, stop),
    bar.element,
    result,
    table('Checked ops', ['op', 'cases', 'variants', 'result'], body),
  );
}

export const verifyPage: Page = { id: 'verify', title: 'Verify', make };
