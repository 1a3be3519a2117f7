import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import { PYTHON, PYTORCH_TAG, SKLEARN_TAG } from './pytorch.ts';

/** Ends the output with what was left out and why, where something was, and a line `N passed, N failed`. */
export default class TotalsReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0 };
    const leftOut = { pytorch: 0, sklearn: 0, fullTier: 0 };
    const context = this.#vitest?.getRootProject().getProvidedContext();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const result = outcome(test);
        count[result]++;
        if (result !== 'skipped') continue;
        if (!context?.sklearn && test.tags.includes(SKLEARN_TAG)) leftOut.sklearn++;
        else leftOut[!context?.pytorch && test.tags.includes(PYTORCH_TAG) ? 'pytorch' : 'fullTier']++;
      }
      // A file that does not load and a hook that throws have no failed test to show for it.
      const broken = [module, ...module.children.allSuites()].filter((task) => task.errors().length > 0);
      count.failed += broken.length;
    }
    if (leftOut.fullTier && context?.adapter.kind === 'embedded') {
      console.log(
        `left out: ${leftOut.fullTier} tests of the full tier, which need a GPU or a fast software driver (scripts/software-gpu.sh); this is the ${context?.adapter.description}`,
      );
    }
    if (leftOut.pytorch) {
      console.log(
        `left out: ${leftOut.pytorch} tests that compare with PyTorch, which ${PYTHON} does not have (Debian: apt-get install python3-torch python3-torchvision; MURAD_TEST_PYTHON names another Python)`,
      );
    }
    if (leftOut.sklearn) {
      console.log(
        `left out: ${leftOut.sklearn} tests that compare with scikit-learn, which ${PYTHON} does not have (Debian: apt-get install python3-sklearn)`,
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
