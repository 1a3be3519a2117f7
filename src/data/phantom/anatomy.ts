import { armBones, armTissue } from './arm.ts';
import type { Body, Build, Pose } from './body.ts';
import { handBones, handTissue } from './hand.ts';
import { shoulderBones, shoulderTissue } from './shoulder.ts';

/** An arm from the fingertips (y = -0.4) through wrist (0.2) and elbow (1.44) to the shoulder (2.9). */
export function makeArm(build: Build, pose: Pose): Body {
  return {
    bones: [...shoulderBones(build, pose), ...armBones(build, pose), ...handBones(build, pose)],
    tissue: [...shoulderTissue(build, pose), ...armTissue(build, pose), ...handTissue(build, pose)],
  };
}
