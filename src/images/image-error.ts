import { InputError } from '../core/errors.ts';

/**
 * Why a file was not taken as an image.
 * - `empty`: no bytes
 * - `unreadable`: missing, no permission, not a plain file
 * - `not-an-image`: its first bytes are those of no image format known here
 * - `unsupported`: an image or document of a format that is refused (SVG, PDF, PSD, ...)
 * - `convert`: a format that a person can convert first (HEIC, BMP); the message has the command
 * - `too-large`: more pixels, or more bytes, than allowed
 * - `truncated`: ends before its last pixel
 * - `corrupt`: does not decode, or decodes with errors
 */
export type ImageErrorReason =
  | 'empty'
  | 'unreadable'
  | 'not-an-image'
  | 'unsupported'
  | 'convert'
  | 'too-large'
  | 'truncated'
  | 'corrupt';

/** A file that is left out, with the reason. Its message says what is wrong without naming the file. */
export class ImageError extends InputError {
  override name = 'ImageError';
  readonly reason: ImageErrorReason;

  constructor(reason: ImageErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
