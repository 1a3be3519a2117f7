/** PNG's row filters (PNG specification, third edition, 9.2): a row is stored as its difference from a prediction. */

function undoSub(row: Uint8Array, step: number): void {
  for (let x = step; x < row.length; x++) row[x] = (row[x] as number) + (row[x - step] as number);
}

function undoUp(row: Uint8Array, above: Uint8Array): void {
  for (let x = 0; x < row.length; x++) row[x] = (row[x] as number) + (above[x] as number);
}

function undoAverage(row: Uint8Array, above: Uint8Array, step: number): void {
  for (let x = 0; x < row.length; x++) {
    const left = x < step ? 0 : (row[x - step] as number);
    row[x] = (row[x] as number) + ((left + (above[x] as number)) >> 1);
  }
}

/** The neighbour (left, above, above left) nearest to left + above - above left, ties in that order. */
function paeth(left: number, up: number, corner: number): number {
  const fromLeft = Math.abs(up - corner);
  const fromUp = Math.abs(left - corner);
  const fromCorner = Math.abs(left + up - 2 * corner);
  if (fromLeft <= fromUp && fromLeft <= fromCorner) return left;
  return fromUp <= fromCorner ? up : corner;
}

function undoPaeth(row: Uint8Array, above: Uint8Array, step: number): void {
  for (let x = 0; x < step; x++) row[x] = (row[x] as number) + (above[x] as number);
  for (let lane = 0; lane < step; lane++) {
    let left = row[lane] as number;
    let corner = above[lane] as number;
    for (let x = lane + step; x < row.length; x += step) {
      const up = above[x] as number;
      left = ((row[x] as number) + paeth(left, up, corner)) & 0xff;
      row[x] = left;
      corner = up;
    }
  }
}

/**
 * Undoes the filters of `rows` rows of `rowBytes` bytes, each preceded by its filter's number.
 * `step` is the distance to the same byte of the pixel on the left. Returns undefined where a filter is unknown.
 */
export function undoFilters(raw: Uint8Array, rows: number, rowBytes: number, step: number): Uint8Array | undefined {
  const out = new Uint8Array(rows * rowBytes);
  let above = new Uint8Array(rowBytes);
  for (let y = 0; y < rows; y++) {
    const start = y * (rowBytes + 1);
    const row = out.subarray(y * rowBytes, (y + 1) * rowBytes);
    row.set(raw.subarray(start + 1, start + 1 + rowBytes));
    const filter = raw[start] as number;
    if (filter === 1) undoSub(row, step);
    else if (filter === 2) undoUp(row, above);
    else if (filter === 3) undoAverage(row, above, step);
    else if (filter === 4) undoPaeth(row, above, step);
    else if (filter !== 0) return undefined;
    above = row;
  }
  return out;
}

/** Filters rows with the Paeth filter, which suits photographs; each row gets its filter's number before it. */
export function applyPaeth(pixels: Uint8Array, rows: number, rowBytes: number, step: number): Uint8Array {
  const out = new Uint8Array(rows * (rowBytes + 1));
  for (let y = 0; y < rows; y++) {
    const row = y * rowBytes;
    let to = y * (rowBytes + 1);
    out[to++] = 4;
    for (let x = 0; x < rowBytes; x++) {
      const left = x < step ? 0 : (pixels[row + x - step] as number);
      const up = y === 0 ? 0 : (pixels[row + x - rowBytes] as number);
      const corner = x < step || y === 0 ? 0 : (pixels[row + x - rowBytes - step] as number);
      out[to++] = (pixels[row + x] as number) - paeth(left, up, corner);
    }
  }
  return out;
}
