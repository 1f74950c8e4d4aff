import type { GroupMeasures, PropertyKey } from './properties.ts';
import { energyDistance } from './statistics.ts';

/** How the properties of some images respond to the values of one operation, ready to be compared with a world. */
export class Response {
  readonly #properties: readonly {
    /** In rising order, with the image and the value that each is of. */
    readonly values: Float64Array;
    readonly images: Int32Array;
    readonly settings: Int32Array;
    readonly world: Float64Array;
    readonly worldImages: Int32Array;
    readonly scale: number;
  }[];

  /**
   * @param measures [values, images]: what each image is like at each value of the operation
   * @param world what the world's images are like
   * @param scales by which the distances of each property are divided; only properties in it count
   */
  constructor(
    measures: readonly (readonly GroupMeasures[])[],
    world: readonly GroupMeasures[],
    scales: ReadonlyMap<PropertyKey, number>,
  ) {
    this.#properties = [...scales].flatMap(([key, scale]) => {
      const entries = measures.flatMap((images, setting) =>
        images.map((image, i) => ({ value: image[key]!, image: i, setting })),
      );
      const own = entries.filter(({ value }) => !Number.isNaN(value)).toSorted((a, b) => a.value - b.value);
      const others = world
        .map((image, i) => ({ value: image[key]!, image: i }))
        .filter(({ value }) => !Number.isNaN(value))
        .toSorted((a, b) => a.value - b.value);
      if (own.length === 0 || others.length === 0) return [];
      return [
        {
          values: Float64Array.from(own, ({ value }) => value),
          images: Int32Array.from(own, ({ image }) => image),
          settings: Int32Array.from(own, ({ setting }) => setting),
          world: Float64Array.from(others, ({ value }) => value),
          worldImages: Int32Array.from(others, ({ image }) => image),
          scale,
        },
      ];
    });
  }

  /**
   * Sum over the properties of the squared energy distance to the world, in units of each property's scale.
   * @param settings [values]: how often each value is drawn
   * @param images how often each image counts
   * @param world how often each image of the world counts
   */
  distance(settings: ArrayLike<number>, images: ArrayLike<number>, world: ArrayLike<number>): number {
    let sum = 0;
    for (const property of this.#properties) {
      const weights = new Float64Array(property.values.length);
      let any = false;
      for (let i = 0; i < weights.length; i++) {
        weights[i] = settings[property.settings[i]!]! * images[property.images[i]!]!;
        any ||= weights[i]! > 0;
      }
      if (!any) continue;
      const others = Float64Array.from(property.worldImages, (image) => world[image]!);
      if (others.every((weight) => weight === 0)) continue;
      sum += energyDistance(property.values, property.world, weights, others) / property.scale;
    }
    return sum;
  }
}
