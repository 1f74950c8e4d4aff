/**
 * Gleaner's public API: named exports only. Every command of the command line is one of these functions.
 */
export { AbortedError, FormatError, InputError, ModelError, RunError, didYouMean } from './core/errors.ts';
export type { OnProgress, Progress } from './core/progress.ts';
export { continueTraining, type ContinueOptions } from './recipes/continue-training.ts';
export { suggest, type Suggested, type SuggestOptions, type SuggestResult } from './recipes/suggestions/suggest.ts';
export { suggestionRows } from './recipes/suggestions/suggestion-rows.ts';
export { resumeTraining, train, type TrainResult } from './recipes/train-classifier.ts';
export type { ResumeControl, TrainControl } from './recipes/train-control.ts';
export { plan, type Plan } from './recipes/plan/plan.ts';
export type { PlanOptions } from './recipes/plan/plan-options.ts';
export { pseudoLabel, resumeSelfTraining, selfTrain } from './recipes/self-training/self-train.ts';
export type { SelfTrainOptions } from './recipes/self-training/self-train-options.ts';
export { pretrain, resumePretraining, type PretrainResult } from './recipes/pretraining/pretrain.ts';
export type { PretrainOptions } from './recipes/pretraining/pretrain-options.ts';
export type { RunResult } from './recipes/results/finish-run.ts';
export { CONSISTENCY_METHOD_NAMES, type ConsistencyMethod } from './train/consistency/methods.ts';
export { LABEL_LOSS_NAMES } from './recipes/training/label-loss-names.ts';
export type { TrainOptions } from './recipes/train-options.ts';
export { distill, resumeDistillation, type DistillResult } from './recipes/distillation/distill.ts';
export type { DistillOptions } from './recipes/distillation/distill-options.ts';
export { zeroShot, type ZeroShotOptions, type ZeroShotResult } from './recipes/zero-shot/zero-shot.ts';
export type { TextEncoder as ZeroShotTextEncoder } from './recipes/zero-shot/text-encoder.ts';
export { evaluate, type EvaluateOptions, type ModelEvaluation } from './recipes/evaluate-model.ts';
export { why, type Why } from './recipes/evidence/why.ts';
export { whyPage } from './recipes/evidence/why-page.ts';
export type { Evidence } from './recipes/evidence/evidence.ts';
export { inspect, type InspectOptions, type Inspection } from './recipes/inspect-model.ts';
export { Predictor, type Prediction, type PredictionError, type PredictorOptions } from './export/predict.ts';
export { CACHE_PARTS, cacheClear, cacheContents, type CacheContents, type CachePart } from './core/cache-folder.ts';
export { doctor, doctorLines, type DoctorReport } from './runtime/doctor.ts';
export { exportRun, type ExportOptions, type ExportResult } from './recipes/export-run.ts';
export {
  DATA_FORMATS,
  exportData,
  type DataExport,
  type DataFormat,
  type ExportDataOptions,
} from './recipes/export-data.ts';
export { checkData, type DataCheck } from './datasets/check.ts';
export { parsePolicy, drawPolicy, type Policy } from './augment/policy.ts';
export { runSteps, toNormalisedPlanes } from './augment/run-steps.ts';
export { randomStream, type RandomStream } from './core/random.ts';
export type { Pixels, Size } from './images/pixels.ts';
export type { Sheet, SheetRow } from './images/contact-sheet.ts';
export { previewAugmentation, type PreviewOptions } from './recipes/augmentation/preview-augmentation.ts';
export {
  replayAugmentation,
  type ReplayedImage,
  type ReplayOptions,
} from './recipes/augmentation/replay-augmentation.ts';
export { sheetFile, writeImage } from './recipes/augmentation/sheet-file.ts';
export { safetyPage } from './recipes/augmentation/safety-page.ts';
export {
  probeAugmentation,
  resumeSearch,
  searchAugmentation,
  type PolicySearchResult,
  type SafetyResult,
} from './recipes/augmentation/search-augmentation.ts';
export type { PolicySearchOptions, SafetyOptions } from './recipes/augmentation/search-options.ts';
export type { Arm, PolicyEvidence } from './recipes/augmentation/search-policy.ts';
export { auditData, type Audit, type AuditOptions } from './audit/audit.ts';
export { renderAuditPage } from './report/audit-page.ts';
export {
  checkLabels,
  type CheckLabelsOptions,
  type LabelCheck,
  type SuspectLabel,
} from './recipes/label-quality/check-labels.ts';
export { labelPage } from './recipes/label-quality/label-page.ts';
export { labelRows } from './recipes/label-quality/label-rows.ts';
export { confidentJoint, type ConfidentJoint } from './labelling/confident-learning.ts';
export {
  findLabelIssues,
  type JudgedLabel,
  type LabelIssues,
  type LabelIssuesInput,
} from './labelling/label-issues.ts';
export {
  labelImages,
  type Labelling,
  type LabellingInput,
  type LabellingOptions,
  type MachineLabel,
  type ThresholdOptions,
} from './labelling/label-images.ts';
export { propagateLabels, type Propagation, type PropagationOptions } from './labelling/label-propagation.ts';
export { combineViews, type CombinedViews } from './labelling/agreement.ts';
export { estimatePrior, type ClassPrior } from './labelling/class-prior.ts';
export { detectCollapse, type CollapseReport, type LabellingRound } from './labelling/collapse.ts';
