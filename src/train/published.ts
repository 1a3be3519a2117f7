/** What the paper reports of a network (Mehr, "Automating Abnormality Detection in Musculoskeletal Radiographs through Deep Learning", Table 3). */
export interface Published {
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly kappa: number;
  /** In millions; of the network for ImageNet's classes. */
  readonly parameters: number;
  /** Of training, on two P100s; the paper names no unit. */
  readonly time: number;
}

type Row = readonly [
  accuracy: number,
  precision: number,
  recall: number,
  f1: number,
  kappa: number,
  parameters: number,
  time: number,
];

// biome-ignore format: a table
const TABLE_3: Readonly<Record<string, Row>> = {
  densenet121: [0.853, 0.904, 0.753, 0.822, 0.699, 8, 492],
  densenet161: [0.844, 0.844, 0.751, 0.812, 0.680, 30, 1083],
  densenet169: [0.843, 0.896, 0.736, 0.808, 0.678, 14, 595],
  densenet201: [0.847, 0.899, 0.742, 0.813, 0.685, 20, 888],
  inception_v3: [0.787, 0.854, 0.632, 0.727, 0.558, 25, 354],
  mobilenet_v2: [0.837, 0.896, 0.721, 0.799, 0.665, 3.4, 203],
  resnet34: [0.842, 0.905, 0.725, 0.805, 0.675, 24.3, 244],
  resnet50: [0.838, 0.910, 0.71, 0.798, 0.666, 25.6, 427],
  resnet101: [0.848, 0.901, 0.744, 0.815, 0.688, 44.5, 654],
  resnet152: [0.852, 0.913, 0.742, 0.819, 0.696, 60.2, 1019],
  resnext50_32x4d: [0.844, 0.893, 0.742, 0.810, 0.680, 25.6, 1054],
  resnext101_32x8d: [0.842, 0.896, 0.734, 0.807, 0.676, 44.5, 2217],
  vgg16: [0.846, 0.917, 0.721, 0.808, 0.682, 138, 741],
  vgg19: [0.844, 0.907, 0.727, 0.807, 0.679, 144, 853],
  vgg11_bn: [0.837, 0.896, 0.719, 0.798, 0.663, 133, 491],
  vgg13_bn: [0.840, 0.904, 0.721, 0.803, 0.672, 133, 784],
  vgg16_bn: [0.850, 0.911, 0.738, 0.815, 0.691, 138, 954],
  vgg19_bn: [0.855, 0.910, 0.751, 0.823, 0.702, 144, 1087],
};

const REGIONS = ['XR_ELBOW', 'XR_FINGER', 'XR_FOREARM', 'XR_HAND', 'XR_HUMERUS', 'XR_SHOULDER', 'XR_WRIST'] as const;

// biome-ignore format: a table
const TABLE_4: Readonly<Record<string, readonly number[]>> = {
  densenet121: [0.735, 0.630, 0.727, 0.587, 0.807, 0.638, 0.758],
  inception_v3: [0.718, 0.484, 0.495, 0.363, 0.615, 0.505, 0.558],
  mobilenet_v2: [0.734, 0.584, 0.681, 0.540, 0.748, 0.649, 0.703],
  resnet152: [0.734, 0.664, 0.711, 0.543, 0.822, 0.628, 0.756],
  resnext50_32x4d: [0.748, 0.619, 0.666, 0.570, 0.793, 0.628, 0.719],
  vgg19_bn: [0.761, 0.652, 0.696, 0.570, 0.807, 0.639, 0.768],
};

/** What the paper reports of a network, by the name of its model; undefined for a network that is not in it. */
export function publishedScores(model: string): Published | undefined {
  const row = TABLE_3[model];
  if (!row) return undefined;
  const [accuracy, precision, recall, f1, kappa, parameters, time] = row;
  return { accuracy, precision, recall, f1, kappa, parameters, time };
}

/** The paper's kappa of a network in each region (Table 4); empty for a network that is not in that table. */
export const publishedRegions = (model: string): Readonly<Record<string, number>> =>
  Object.fromEntries((TABLE_4[model] ?? []).map((kappa, index) => [REGIONS[index], kappa]));
