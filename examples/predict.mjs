// Classifies images with onnxruntime-node and sharp alone: node predict.mjs MODEL.onnx IMAGE...
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';

const [model, ...files] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model);
for (const file of files) {
  const image = sharp(file).autoOrient().flatten({ background: 'white' }).toColourspace('srgb');
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  const feeds = { image: new ort.Tensor('uint8', data, [1, info.height, info.width, 3]) };
  const { probabilities, classes } = await session.run(feeds);
  const best = probabilities.data.indexOf(Math.max(...probabilities.data));
  console.log(JSON.stringify({ file, label: classes.data[best], probability: probabilities.data[best] }));
}
