/** The Python whose PyTorch the tests compare with: Debian's, or the one that `MURAD_TEST_PYTHON` names. */
export const PYTHON = process.env.MURAD_TEST_PYTHON ?? '/usr/bin/python3';

/** The tag of tests that need it. */
export const PYTORCH_TAG = 'pytorch';

/** The tag of tests that need its scikit-learn. */
export const SKLEARN_TAG = 'sklearn';
