// A photo as another camera would take it, by sharp alone: nothing of the augmentation that is judged by it.
import sharp from 'sharp';

/**
 * Writes a JPEG of the size of the original. Beyond its borders the scene goes on mirrored.
 * @param camera ranges to draw from: angle (degrees), shift (shares of width and height), brightness (factor), noise
 *   (standard deviation in grey levels)
 * @param stream RandomStream
 */
export async function retake(from, to, { angle, shift, brightness, noise }, stream) {
  const draw = ([low, high]) => low + (high - low) * stream.uniform();
  const [turn, right, down, factor, deviation] = [angle, shift, shift, brightness, noise].map(draw);
  const upright = await sharp(from)
    .autoOrient()
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height } = upright.info;
  const raw = ({ info, data }) => sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } });
  // Three quarters of the longer side all around: turned and shifted, the frame stays inside.
  const margin = Math.ceil(0.75 * Math.max(width, height));
  const wide = await raw(upright)
    .extend({ left: margin, right: margin, top: margin, bottom: margin, extendWith: 'mirror' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const turned = turn === 0 ? wide : await raw(wide).rotate(turn).raw().toBuffer({ resolveWithObject: true });
  const frame = await raw(turned)
    .extract({
      left: Math.round((turned.info.width - width) / 2 + right * width),
      top: Math.round((turned.info.height - height) / 2 + down * height),
      width,
      height,
    })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { data } = frame;
  for (let i = 0; i < data.length; i++)
    data[i] = Math.max(
      0,
      Math.min(255, Math.round(data[i] * factor + (deviation > 0 ? deviation * stream.normal() : 0))),
    );
  await raw(frame).jpeg({ quality: 92 }).toFile(to);
}
