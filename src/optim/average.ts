/**
 * Moving average of the weights (EMA): average = d * average + (1 - d) * weights, started at the weights. The
 * decay warms up, d_t = min(decay, (1 + t) / (10 + t)) for steps t from 1 (TensorFlow's ExponentialMovingAverage),
 * so that a short run is not averaged with its random start.
 * @throws RangeError for a decay outside 0..1.
 */
export function averageDecay(decay: number): (step: number) => number {
  if (!(decay > 0 && decay < 1))
    throw new RangeError(`The decay of averaged weights must be between 0 and 1, got ${decay}.`);
  return (step) => Math.min(decay, (1 + step) / (10 + step));
}
