/** An RGB image in memory: [height, width, 3] uint8. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A rectangle in pixels of the source; whole numbers, inside the image. */
export interface Box extends Size {
  readonly left: number;
  readonly top: number;
}

export type Rgb = readonly [red: number, green: number, blue: number];
