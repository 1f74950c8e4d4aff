import type { Command } from 'commander';
import { writeFileAtomic } from '../core/atomic-file.ts';
import { auditData, renderAuditPage, type Audit } from '../index.ts';
import { defineCommand, type CommonOptions } from './command.ts';
import { percent, table, type Output } from './output.ts';
import { readingFlags, readingOptions, type ReadingFlags } from './reading-flags.ts';

type AuditFlags = CommonOptions &
  ReadingFlags & { world?: string; predictions?: string; policyOut?: string; out?: string };

export function auditCommand(): Command {
  return defineCommand<AuditFlags>(
    'audit <data>',
    'How narrow a data set is against the world, what a model would learn by mistake, and a policy that covers it',
    ['data audit photos', 'data audit photos --world from-the-street --out audit.html --policy-out policy.txt'],
    (command) =>
      readingFlags(command)
        .option('--world <data>', 'images as the model will meet them (default: the unlabelled ones of the data)')
        .option('--predictions <file>', 'what "gleaner predict" wrote about the data, with --json or --csv')
        .option('--policy-out <file>', 'where the proposed policy goes')
        .option('--out <file>', 'a page with histograms and examples (HTML)'),
    async ([data], flags, { output, signal }) => {
      const { json: _json, quiet: _quiet, device: _device, threads: _threads, ...rest } = flags;
      const { policyOut, out, ...options } = rest;
      const audit = await auditData(data!, {
        ...readingOptions(options),
        pictures: out !== undefined,
        signal,
        onProgress: output.progress,
      });
      const { pictures: _pictures, ...result } = audit;
      if (out !== undefined) await writeFileAtomic(out, renderAuditPage(audit));
      if (policyOut !== undefined) {
        if (audit.proposal === undefined)
          output.warn(`no policy is proposed without a world, so ${policyOut} is not written`);
        else await writeFileAtomic(policyOut, `${audit.proposal.policy}\n`);
      }
      describe(audit, output);
      output.jsonLine({ ...result, ...(out !== undefined && { page: out }) });
    },
  );
}

function describe({ root, images, classes, world, findings, proposal }: Audit, output: Output): void {
  output.text(
    `${root}: ${images} images in ${classes.length} classes` +
      `${world === undefined ? '; no world to compare with (--world)' : `, against ${world.images} images of ${world.source}`}.`,
  );
  output.text('');
  if (findings.length === 0) output.text('No findings.');
  else
    output.text(
      table(
        ['severity', 'finding', 'p'],
        findings.map(({ severity, what, p }) => [severity, what, p === undefined ? '-' : p.toPrecision(2)]),
      ),
    );
  if (proposal === undefined) return;
  output.text('');
  if (proposal.operations.length === 0) {
    output.text('No operation brings the data clearly nearer to the world: no policy is proposed.');
    return;
  }
  output.text(`Proposed policy: ${proposal.policy}`);
  output.text(
    table(
      ['world not covered', 'as it is', 'with it'],
      proposal.coverage.map(({ property, before, after }) => [property, percent(before.value), percent(after.value)]),
    ),
  );
}
