/** The phantom set that the samples are taken from. */
export const SAMPLE_PLAN = { studies: 50, seed: 2026, size: 320 } as const;

/** A phantom study that ships with the page. */
export interface Sample {
  readonly id: string;
  readonly title: string;
  /** Its number in the plan. */
  readonly study: number;
  /** How many of its views are taken. */
  readonly views: number;
}

export const samples: readonly Sample[] = [
  { id: 'wrist-implant', title: 'Wrist with an implant', study: 12, views: 2 },
  { id: 'shoulder-fracture', title: 'Shoulder with a fracture', study: 30, views: 2 },
  { id: 'shoulder-lesion', title: 'Shoulder with a lesion', study: 8, views: 2 },
  { id: 'hand-normal', title: 'Normal hand', study: 4, views: 2 },
  { id: 'humerus-fracture', title: 'Humerus with a fracture that the bundled weights miss', study: 38, views: 2 },
];

/** Where view number `view` lies, relative to the page. */
export const sampleFile = ({ id }: Sample, view: number): string => `samples/${id}-${view + 1}.png`;
