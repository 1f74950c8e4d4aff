import { operation } from '../operation.ts';
import { daylightGains } from '../black-body.ts';
import { encoded, LIGHT } from '../srgb.ts';
import { channelTable } from '../tables.ts';

/** As if the scene's light had another colour temperature while the camera stayed set to daylight. */
export const temperature = operation({
  name: 'temperature',
  about: 'Light of another colour temperature: candles are warm and orange, a clear sky is blue',
  group: 'colour',
  parameters: {
    kelvin: {
      kind: 'range',
      about: 'kelvin; below 6500 is warmer',
      min: 1667,
      max: 25_000,
      identity: 6500,
      single: 'around',
      scale: 'logarithmic',
      default: [4500, 9000],
    },
  },
  probability: 1,
  risk: 'recoloured',
  steps: ({ kelvin }) =>
    kelvin === 6500 ? [] : [{ kind: 'point', needs: 'nothing', make: () => ({ table: temperatureTable(kelvin) }) }],
  // Even steps as one sees them are even in 1/kelvin: from 6500 K down to 2500 K and up to 20000 K.
  strength: {
    signed: true,
    at: (level, sign) => ({ kelvin: 1 / (1 / 6500 + level * (1 / (sign > 0 ? 2500 : 20_000) - 1 / 6500)) }),
  },
});

function temperatureTable(kelvin: number): Uint8Array {
  const gains = daylightGains(kelvin);
  return channelTable((value, channel) => 255 * encoded(Math.min(1, LIGHT[value]! * gains[channel]!)));
}
