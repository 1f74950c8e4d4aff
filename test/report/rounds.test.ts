import { expect, it } from 'vitest';
import { renderReport } from '../../src/report/report.ts';
import { roundsFromEvents } from '../../src/report/rounds-from-events.ts';
import { sampleRun } from './sample-run.ts';

it('shows every round, by whom it was judged, and why one was not kept', () => {
  const page = renderReport(sampleRun(['cat', 'dog']));
  const section = page.slice(page.indexOf('<h2 id="rounds">'), page.indexOf('<h2 id="training">'));
  expect(section).toContain('Rounds are judged on 100 labelled images');
  expect(section).toContain('2,100 of 2,968');
  expect(section).toMatch(/no: no better than the best before/);
  // The teacher of a round is the student of the one before.
  expect(section).toMatch(/teacher from 70.0\s%\s*to 74.0\s%; student from 70.0\s%\s*to 73.0\s%/);
  expect(section).toMatch(/used from 70.8\s%\s*to 77.5\s%; estimated to be right from 86.0\s%\s*to 88.0\s%/);
});

it('leaves the section out of other runs', () => {
  const { rounds: _, ...run } = sampleRun(['cat', 'dog']);
  expect(renderReport(run)).not.toContain('id="rounds"');
});

it('does not count a round as kept that a later one took back', () => {
  const time = '2026-11-30T10:00:00.000Z';
  const reasons = ['its labels collapse in round 2'];
  const events = [
    { type: 'round', time, round: 1, network: 'a', isKept: true },
    { type: 'rolled-back', time, round: 1, reasons },
    { type: 'round', time, round: 2, network: 'a', isKept: false, reasons: ['few classes'] },
  ];
  expect(roundsFromEvents(events)).toEqual([
    { round: 1, network: 'a', isKept: false, reasons },
    { round: 2, network: 'a', isKept: false, reasons: ['few classes'] },
  ]);
});

it('counts a round once, as it was told last', () => {
  const time = '2026-11-30T10:00:00.000Z';
  const events = [
    { type: 'round', time, round: 1, network: 'a', isKept: false },
    { type: 'epoch', time, epoch: 1 },
    { type: 'round', time, round: 0, network: 'a', isKept: true },
    { type: 'round', time, round: 1, network: 'a', isKept: true },
  ];
  expect(roundsFromEvents(events)).toEqual([
    { round: 0, network: 'a', isKept: true },
    { round: 1, network: 'a', isKept: true },
  ]);
});
