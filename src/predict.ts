/** `gleaner/predict`: a trained model and nothing else, for programs that answer at once. */
export { Predictor, type Prediction, type PredictionError, type PredictorOptions } from './export/predict.ts';
