import type { Pixels } from '../images/pixels.ts';
import { measureColour } from './colour.ts';
import { measureDetail } from './detail.ts';
import { greyPlane } from './grey-plane.ts';
import { measureOrientation } from './orientation.ts';
import type { GroupMeasures, PropertyGroup } from './properties.ts';
import { measureSubject } from './subject.ts';

const MEASURES: Readonly<Record<Exclude<PropertyGroup, 'file'>, (image: Pixels) => GroupMeasures>> = {
  colour: measureColour,
  geometry: (image) => ({ ...measureSubject(image), ...measureOrientation(greyPlane(image)) }),
  detail: (image) => measureDetail(greyPlane(image)),
};

/** The properties of one group that an image's pixels tell. */
export function measurePixels(image: Pixels, group: Exclude<PropertyGroup, 'file'>): GroupMeasures {
  return MEASURES[group](image);
}
