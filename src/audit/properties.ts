/** What is measured of each image. Values are comparable between images of any size. */

export type PropertyGroup = 'colour' | 'geometry' | 'detail' | 'file';

export interface Property {
  readonly key: PropertyKey;
  /** As a sentence names it. */
  readonly name: string;
  readonly group: PropertyGroup;
  /** What a low and a high value mean. */
  readonly low: string;
  readonly high: string;
  readonly unit: string;
  /**
   * How far apart the 10th and the 90th percentile lie in photos as people take them: what a data set is called narrow
   * by where there is no world to compare it with. Undefined where uniformity is no fault.
   */
  readonly typicalSpread?: number;
}

export const PROPERTY_KEYS = [
  'brightness',
  'contrast',
  'dark',
  'light',
  'saturation',
  'warmth',
  'tint',
  'subjectX',
  'subjectY',
  'subjectSize',
  'axes',
  'slant',
  'upright',
  'lean',
  'leftRight',
  'topBottom',
  'flatBorder',
  'sharpness',
  'noise',
  'side',
  'aspect',
  'jpegQuality',
] as const;

export type PropertyKey = (typeof PROPERTY_KEYS)[number];

/** NaN where an image does not have it (the quality of a PNG). */
export type Measures = Readonly<Record<PropertyKey, number>>;

/** In parts of `Measures`: what one group gives. */
export type GroupMeasures = Partial<Measures>;

/** In the order of `PROPERTY_KEYS`. */
export const PROPERTIES: readonly Property[] = [
  {
    key: 'brightness',
    name: 'brightness',
    group: 'colour',
    low: 'darker',
    high: 'brighter',
    unit: 'mean luma, 0..255',
    typicalSpread: 62,
  },
  {
    key: 'contrast',
    name: 'contrast',
    group: 'colour',
    low: 'flatter',
    high: 'richer in contrast',
    unit: 'standard deviation of luma',
    typicalSpread: 40,
  },
  {
    key: 'dark',
    name: 'the darkest parts',
    group: 'colour',
    low: 'darker in the shadows',
    high: 'lighter in the shadows',
    unit: '5th percentile of luma',
    typicalSpread: 70,
  },
  {
    key: 'light',
    name: 'the lightest parts',
    group: 'colour',
    low: 'darker in the lights',
    high: 'lighter in the lights',
    unit: '95th percentile of luma',
    typicalSpread: 66,
  },
  {
    key: 'saturation',
    name: 'saturation',
    group: 'colour',
    low: 'paler',
    high: 'more colourful',
    unit: '0..1',
    typicalSpread: 0.36,
  },
  {
    key: 'warmth',
    name: 'colour temperature',
    group: 'colour',
    low: 'bluer',
    high: 'warmer',
    unit: 'log2 of red to blue',
    typicalSpread: 0.9,
  },
  {
    key: 'tint',
    name: 'tint',
    group: 'colour',
    low: 'more magenta',
    high: 'greener',
    unit: 'log2 of green to red and blue',
    typicalSpread: 0.33,
  },
  {
    key: 'subjectX',
    name: 'place of the subject across',
    group: 'geometry',
    low: 'further left',
    high: 'further right',
    unit: 'share of the width from the centre',
    typicalSpread: 0.1,
  },
  {
    key: 'subjectY',
    name: 'place of the subject down',
    group: 'geometry',
    low: 'higher up',
    high: 'further down',
    unit: 'share of the height from the centre',
    typicalSpread: 0.15,
  },
  {
    key: 'subjectSize',
    name: 'size of the subject',
    group: 'geometry',
    low: 'smaller in the frame',
    high: 'larger in the frame',
    unit: 'share of the frame',
    typicalSpread: 0.22,
  },
  {
    key: 'axes',
    name: 'edges along the axes',
    group: 'geometry',
    low: 'more tilted',
    high: 'straighter',
    unit: '-1..1',
    typicalSpread: 0.45,
  },
  {
    key: 'slant',
    name: 'slant of the edges',
    group: 'geometry',
    low: 'turned one way',
    high: 'turned the other way',
    unit: '-1..1',
    typicalSpread: 0.17,
  },
  {
    key: 'upright',
    name: 'plumb against level edges',
    group: 'geometry',
    low: 'richer in level edges',
    high: 'richer in plumb edges',
    unit: '-1..1',
    typicalSpread: 0.7,
  },
  {
    key: 'lean',
    name: 'lean of the edges',
    group: 'geometry',
    low: 'leaning one way',
    high: 'leaning the other way',
    unit: '-1..1',
    typicalSpread: 0.18,
  },
  {
    key: 'leftRight',
    name: 'light from the left or right',
    group: 'geometry',
    low: 'lighter on the right',
    high: 'lighter on the left',
    unit: 'difference over the standard deviation',
    typicalSpread: 0.72,
  },
  {
    key: 'topBottom',
    name: 'light from above or below',
    group: 'geometry',
    low: 'lighter below',
    high: 'lighter above',
    unit: 'difference over the standard deviation',
    typicalSpread: 0.9,
  },
  {
    key: 'flatBorder',
    name: 'plain margins',
    group: 'geometry',
    low: 'without plain margins',
    high: 'with plain margins',
    unit: 'share of the image',
  },
  {
    key: 'sharpness',
    name: 'sharpness',
    group: 'detail',
    low: 'more blurred',
    high: 'sharper',
    unit: 'log2 of fine contrast',
    typicalSpread: 2.0,
  },
  { key: 'noise', name: 'noise', group: 'detail', low: 'cleaner', high: 'noisier', unit: 'log2 of grey levels' },
  {
    key: 'side',
    name: 'size in pixels',
    group: 'file',
    low: 'smaller',
    high: 'larger',
    unit: 'log2 of the shorter side',
  },
  { key: 'aspect', name: 'aspect', group: 'file', low: 'taller', high: 'wider', unit: 'log2 of width to height' },
  {
    key: 'jpegQuality',
    name: 'JPEG quality',
    group: 'file',
    low: 'more compressed',
    high: 'less compressed',
    unit: '1..100',
  },
];

export function propertyOf(key: PropertyKey): Property {
  return PROPERTIES.find((property) => property.key === key)!;
}
