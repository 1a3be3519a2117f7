/** Mean binary cross-entropy with logits. */
export function meanLoss(logits: ArrayLike<number>, labels: ArrayLike<number>): number {
  const losses = Array.from(
    logits,
    (x, index) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0) - x * (labels[index] as number),
  );
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
