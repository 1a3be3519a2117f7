import { test } from 'vitest';
import { opCases } from '/work/main/src/kernels/cases.ts';
import { traceCase } from '/work/main/src/graph/check/trace.ts';
import { expectedOf } from '/work/main/src/graph/check/expected.ts';
import { asReferences } from '/work/main/src/graph/check/check-case.ts';
import * as g from '/work/main/src/graph/check/check-gradients.ts';
test('t', () => {
  const rows = [];
  for (const oc of opCases) { let e=0, n=0, c=0;
    for (const one of oc.cases) { c++;
      let t=performance.now(); const tr=traceCase(oc,one); expectedOf(tr.graph, asReferences(tr.values), [...tr.outputs,...tr.mutated]); e+=performance.now()-t;
      if (one.differentiate && g.numericGradients) { t=performance.now(); g.numericGradients(oc, one); const d=performance.now()-t; n+=d; if (d>700) console.log(oc.op.name, one.name, d|0); }
    }
    rows.push([oc.op.name,c,e|0,n|0].join(' '));
  }
  console.log(rows.join('\n'));
}, 200000);
