import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';

/** Ends the output with what was left out and why, where something was, and a line `N passed, N failed`. */
export default class TotalsReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) count[outcome(test)]++;
      // A file that does not load and a hook that throws have no failed test to show for it.
      const broken = [module, ...module.children.allSuites()].filter((task) => task.errors().length > 0);
      count.failed += broken.length;
    }
    if (count.skipped) {
      const adapter = this.#vitest?.getRootProject().getProvidedContext().adapter.description;
      console.log(
        `left out: ${count.skipped} tests of the full tier, which need a GPU or a fast software driver (scripts/software-gpu.sh); this is the ${adapter}`,
      );
    }
    console.log(`${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`);
  }
}

/** A test that was to run and did not (its hook threw, the run was cut off) has failed. */
function outcome(test: TestCase): 'passed' | 'failed' | 'skipped' {
  const { state } = test.result();
  if (state === 'passed') return 'passed';
  return state === 'skipped' && test.options.mode !== 'run' ? 'skipped' : 'failed';
}
