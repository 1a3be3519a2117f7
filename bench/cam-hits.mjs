// How often the hottest place of a class activation map lies in the box of the abnormality, against chance:
//   node bench/cam-hits.mjs WEIGHTS DATA [--images 150] [--size 160] [--adapter auto]
// DATA: a phantom set (its boxes.csv names the places). One image a study, validation split, abnormal ones only, whatever
// the network says of them. Chance: the share of the image that the boxes cover. Interval: bootstrap over images.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Random } from '../dist/base/random.js';
import { resizeSquare } from '../dist/data/resize.js';
import {
  batchOf,
  drawClassActivationMap,
  findModel,
  Inference,
  Model,
  openDevice,
  readWeights,
} from '../dist/index.js';
import { nodeDecoder } from '../dist/io/node-png.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '150' },
    size: { type: 'string', default: '160' },
    adapter: { type: 'string', default: 'auto' },
  },
});
const [weights, data] = positionals;
const imageSize = Number(values.size);
const boxes = new Map();
for (const line of readFileSync(`${data}/boxes.csv`, 'utf8').trim().split('\n').slice(1)) {
  const [image, x, y, width, height, kind] = line.split(',');
  const path = image.slice(image.indexOf('/') + 1);
  if (!path.startsWith('valid/') || !path.endsWith('/image1.png')) continue;
  boxes.set(path, [...(boxes.get(path) ?? []), { x: +x, y: +y, width: +width, height: +height, kind }]);
}
const { device } = await openDevice({ adapter: values.adapter });
const model = new Model(device, findModel('densenet121'));
model.load(weights, readWeights(weights, readFileSync(weights)));
const inference = await Inference.create(model, { batchSize: 1, imageSize });
const rows = [];
for (const [path, places] of [...boxes].slice(0, Number(values.images))) {
  const image = await nodeDecoder.decode(readFileSync(`${data}/${path}`), path);
  const { width, height, channels } = image;
  const logit = new Float32Array(
    await (await inference.run(batchOf([resizeSquare(image, imageSize)], imageSize))).value,
  )[0];
  const { heat } = await drawClassActivationMap(inference, 0, { width, height, channels, planes: image.data });
  const hottest = heat.reduce((best, value, at) => (value > heat[best] ? at : best), 0);
  const inside = (at) =>
    places.some((box) => {
      const [column, row] = [at % width, Math.floor(at / width)];
      return column >= box.x && column < box.x + box.width && row >= box.y && row < box.y + box.height;
    });
  let covered = 0;
  for (let at = 0; at < width * height; at++) if (inside(at)) covered++;
  rows.push({
    hit: inside(hottest) ? 1 : 0,
    chance: covered / (width * height),
    abnormal: logit > 0,
    kind: places[0].kind,
  });
}

const mean = (list, key) => list.reduce((sum, row) => sum + row[key], 0) / list.length;
const ratio = (list) => mean(list, 'hit') / mean(list, 'chance');
function report(name, list) {
  const random = new Random(0);
  const drawn = Array.from({ length: 2000 }, () => ratio(list.map(() => random.pick(list)))).sort((a, b) => a - b);
  const share = (value) => `${(100 * value).toFixed(1)} %`;
  console.log(
    `${name.padEnd(16)} ${list.length} images: hits ${share(mean(list, 'hit'))}, chance ${share(mean(list, 'chance'))}, ` +
      `ratio ${ratio(list).toFixed(1)} (95 %: ${drawn[50].toFixed(1)} to ${drawn[1949].toFixed(1)})`,
  );
}
report('all', rows);
report(
  'called abnormal',
  rows.filter((row) => row.abnormal),
);
for (const kind of new Set(rows.map((row) => row.kind)))
  report(
    kind,
    rows.filter((row) => row.kind === kind),
  );
process.exit();
