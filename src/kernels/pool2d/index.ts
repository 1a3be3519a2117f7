export { adaptiveAvgPool2d, adaptiveAvgPool2dGradient } from './adaptive-avg-pool2d.ts';
export { avgPool2d, avgPool2dBatchNormGradient, avgPool2dGradient } from './avg-pool2d.ts';
export { globalAvgPool2d, globalAvgPool2dGradient } from './global-avg-pool2d.ts';
export { maxPool2d, maxPool2dBatchNormGradient, maxPool2dGradient, maxPool2dMoments } from './max-pool2d.ts';
